"""Reads the test images before a training that ends with a test."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from lit_cnn.errors import DataError


class FinalTestCheck(Callback):
    """Finds missing or broken test images before the first step, and not after hours of training.

    It reads and decodes them as the test does, and nothing looks at their pixels before the test. The data module
    keeps them for it, so that no time is lost: an image folder is decoded into its cache, once. Memory is what the
    test takes anyway, since the training images are still there when it begins.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Reads them when the training images have been read.

        Raises:
            DataError: If an image or a class is not what it has to be.
        """
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if stage == "fit":
            data.setup("test")


def refuse_missing_test(data: Any) -> None:
    """Refuses a training that would end without its test; nothing has to be read for this.

    Raises:
        DataError: If the data module has no test images.
    """
    if not data.has_test:
        raise DataError(
            f"{data.dataset_name} has no test images, so that `fit` could not end with a test.\n"
            "Bring them, or set --test_after_fit false (and leave out --test_each_epoch)."
        )

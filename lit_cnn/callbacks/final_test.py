"""Check of the test images before a training that ends with a test."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from lit_cnn.errors import DataError


class FinalTestCheck(Callback):
    """Finds missing or broken test images before the first step, not after hours of training.

    It reads them as the test does; nothing uses their pixels before the test. The data module keeps them, so it costs
    no extra time, and no more memory than the test, which has the training images in memory too.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Reads the test images after the training images.

        Raises:
            DataError: If an image or a class is wrong.
        """
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if stage == "fit":
            data.setup("test")


def refuse_missing_test(data: Any) -> None:
    """Refuses a training whose final test has no images; reads nothing.

    Raises:
        DataError: If the data module has no test images.
    """
    if not data.has_test:
        raise DataError(
            f"{data.dataset_name} has no test images, so that `fit` could not end with a test.\n"
            "Bring them, or set --test_after_fit false (and leave out --test_each_epoch)."
        )

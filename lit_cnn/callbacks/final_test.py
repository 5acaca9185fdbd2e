"""Check of the test images before a training that ends with a test."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from lit_cnn.data.own_images import ImageFolderDataModule
from lit_cnn.errors import DataError


class FinalTestCheck(Callback):
    """Finds missing or broken test images before the first step, not after hours of training.

    It reads the images as the test does. Nothing uses their pixels before the test. The data module keeps them for the
    test, so this costs no extra time or memory.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if stage == "fit":
            data.setup("test")


def refuse_missing_test(data: Any) -> None:
    """Raises a DataError if the data module has no images for the final test; reads nothing."""
    if not data.has_test:
        draws = isinstance(data, ImageFolderDataModule)
        why = ": none are given, and none are drawn, since data.test_size is 0" if draws else ""
        remedy = "Remove --data.test_size" if draws else "Add test images"
        raise DataError(
            f"{data.dataset_name} has no test images for the test at the end of `fit`{why}.\n"
            f"{remedy}, or set --test_after_fit false (and remove --test_each_epoch)."
        )

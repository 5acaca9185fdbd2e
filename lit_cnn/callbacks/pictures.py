"""Pictures of samples and predictions in TensorBoard."""

import time

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from matplotlib.figure import Figure

from lit_cnn.callbacks import tensorboards
from lit_cnn.data.base import ImageDataModule
from lit_cnn.data.loader import RawBatch
from lit_cnn.plots import prediction_grid, sample_grid
from lit_cnn.transforms.draws import permutation

# Drawing takes time. A figure is drawn in the middle of training only when this many times what the
# last one took has passed, which bounds the pictures' share of the run to 2 %.
PATIENCE = 50


class Pictures(Callback):
    """Draws training images as the network sees them, and predictions with right and wrong marked.

    Args:
        enabled: Draw at all.
        samples: Images in the grid of samples.
        predictions: Images in the grid of predictions.
    """

    def __init__(self, enabled: bool = True, samples: int = 16, predictions: int = 32):
        self.enabled = enabled
        self.samples = samples
        self.predictions = predictions
        self._next = 0.0

    @rank_zero_only
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws the first training images beside the network's view of them."""
        data = self._data_of(trainer)
        if data is None or data.preprocess is None:
            return
        batch = _some(data, "train", self.samples)
        seen, _ = data.transform(batch, epoch=trainer.current_epoch)
        changes = ["augmented"] * bool(data.augment) + ["permuted"] * data.permute
        figure = sample_grid(
            batch.images,
            data.preprocess.to_picture(seen),
            [data.class_names[label] for label in batch.labels],
            f"{data.dataset_name}: training images with their labels",
            ", ".join(changes) or "unchanged",
        )
        _add(trainer, "samples/train", figure)

    @rank_zero_only
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws predictions on validation images, at first and then as often as it costs next to nothing."""
        if trainer.sanity_checking or time.monotonic() < self._next:
            return
        self._predict(trainer, pl_module, "val")

    @rank_zero_only
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws the last network's predictions on validation images."""
        self._predict(trainer, pl_module, "val")

    @rank_zero_only
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws predictions on test images."""
        self._predict(trainer, pl_module, "test")

    def _predict(self, trainer: Trainer, pl_module: LightningModule, split: str) -> None:
        start = time.monotonic()
        data = self._data_of(trainer)
        if data is None or not len(data.arrays(split)):
            return
        batch = _some(data, split, self.predictions)
        inputs, labels = data.transform(batch)
        was_training = pl_module.training
        pl_module.eval()
        with torch.no_grad():
            logits = pl_module(inputs.to(pl_module.device, next(pl_module.parameters()).dtype))
        pl_module.train(was_training)
        confidence, preds = logits.float().softmax(dim=1).cpu().max(dim=1)
        figure = prediction_grid(
            batch.images,
            labels.tolist(),
            preds.tolist(),
            confidence.tolist(),
            data.class_names,
            f"{data.dataset_name}: predictions on {'validation' if split == 'val' else split} images",
        )
        _add(trainer, f"predictions/{split}", figure)
        end = time.monotonic()
        self._next = end + PATIENCE * (end - start)

    def _data_of(self, trainer: Trainer) -> ImageDataModule | None:
        data = getattr(trainer, "datamodule", None)
        drawn = self.enabled and isinstance(data, ImageDataModule) and tensorboards(trainer)
        return data if drawn else None


def _some(data: ImageDataModule, split: str, n: int) -> RawBatch:
    """Returns up to n images of a split, always the same, drawn at random since files may be sorted by class."""
    arrays = data.arrays(split)
    indices = permutation(len(arrays), "pictures", split)[:n].sort().values
    return RawBatch(*arrays.gather(indices), indices)


def _add(trainer: Trainer, tag: str, figure: Figure) -> None:
    for logger in tensorboards(trainer):
        logger.experiment.add_figure(tag, figure, global_step=trainer.global_step, close=False)

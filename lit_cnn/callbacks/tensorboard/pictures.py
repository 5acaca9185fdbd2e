"""Sample images and predictions in TensorBoard."""

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only

from lit_cnn.callbacks.tensorboard.figures import Draws, add, data_of, evaluating, for_network, some
from lit_cnn.plots import prediction_grid, sample_grid
from lit_cnn.transforms.pixels import as_bytes


class Pictures(Draws):
    """Draws training images with the network's view, and predictions marked right or wrong.

    Args:
        enabled: Draw figures; false turns off those of all other callbacks too.
        samples: Number of sample images.
        predictions: Number of images with predictions.
    """

    def __init__(self, enabled: bool = True, samples: int = 12, predictions: int = 30):
        self.enabled = enabled
        self.samples = samples
        self.predictions = predictions
        self.draws_at_all = enabled

    @rank_zero_only
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws the first training images and the network's view of them."""
        data = data_of(trainer)
        if data is None or data.preprocess is None:
            return
        indices = some(data, "train", self.samples)
        images, labels = data.arrays("train").gather(indices)
        seen, _ = data.batch_maker("train")(indices, trainer.current_epoch)
        changes = ["augmented"] * bool(data.augment) + ["permuted"] * data.permute
        figure = sample_grid(
            as_bytes(images),
            data.preprocess.to_picture(seen),
            [data.class_names[label] for label in labels],
            f"{data.dataset_name}: training images with their labels",
            ", ".join(changes) or "unchanged",
        )
        add(trainer, "train/samples", figure)

    @rank_zero_only
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking and self._budget.allows():
            self._predict(trainer, pl_module, "val")

    @rank_zero_only
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._predict(trainer, pl_module, "val")

    @rank_zero_only
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._predict(trainer, pl_module, "test")

    def _predict(self, trainer: Trainer, pl_module: LightningModule, split: str) -> None:
        data = data_of(trainer)
        if data is None or not len(data.arrays(split)):
            return
        with self._budget.spending():
            indices = some(data, split, self.predictions)
            inputs, labels = data.batch_maker(split)(indices)
            with evaluating(pl_module):
                logits = getattr(pl_module, "evaluate", pl_module)(for_network(pl_module, inputs))
            confidence, preds = logits.float().softmax(dim=1).cpu().max(dim=1)
            figure = prediction_grid(
                as_bytes(data.arrays(split).images_at(indices)),
                labels.tolist(),
                preds.tolist(),
                confidence.tolist(),
                data.class_names,
                f"{data.dataset_name}: predictions on {'validation' if split == 'val' else split} images",
            )
            add(trainer, f"{split}/predictions", figure)

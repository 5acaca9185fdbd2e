"""Evaluation figures: confusion matrix, accuracy by class, worst mistakes, calibration."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix
from torchmetrics.utilities.distributed import gather_all_tensors

from lit_cnn.callbacks import log_everywhere
from lit_cnn.callbacks.tensorboard.figures import Draws, add, boards, data_of
from lit_cnn.data.loader import ArrayLoader
from lit_cnn.errors import counted
from lit_cnn.plots import class_accuracy, confusion_matrix, reliability_diagram, worst_mistakes
from lit_cnn.plots.calibration import expected_calibration_error
from lit_cnn.training.buffered_metrics import BufferedMetrics
from lit_cnn.transforms.pixels import as_bytes

NAMES = {"val": "validation", "test": "test"}


class Outcome(NamedTuple):
    """Predictions for the images of an evaluation."""

    preds: Int64[Tensor, "n"]
    confidences: Float[Tensor, "n"]  # probability of the predicted class
    labels: Int64[Tensor, "n"]
    indices: Int64[Tensor, "n"]  # of the images in their split; -1 if unknown


class Evaluation(Draws):
    """Draws confusion matrix, accuracy by class, worst mistakes and reliability diagram, and logs the ECE.

    Figures are drawn for the test, the last validation, and earlier validations if there is time. They use the
    predictions of the evaluation itself, from all devices.

    Args:
        enabled: Draw these figures, and log `val/ece` and `test/ece`.
        mistakes: Number of worst mistakes to show.
    """

    def __init__(self, enabled: bool = True, mistakes: int = 18):
        self.enabled = enabled
        self.mistakes = mistakes
        self._listening = False
        self._waiting: list[tuple[Tensor, Tensor, Tensor]] = []
        self._undrawn: Outcome | None = None

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._waiting.clear()
        metrics = getattr(pl_module, "metrics", None)
        self._listening = bool(self.enabled and boards(trainer) and isinstance(metrics, BufferedMetrics))
        if self._listening:
            metrics.listeners[_split(trainer)] = self._note  # type: ignore[union-attr]

    on_test_start = on_validation_start

    def _note(self, logits: Tensor, labels: Tensor) -> None:
        confidences, preds = logits.float().softmax(dim=1).max(dim=1)
        self._waiting.append((preds, confidences, labels))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._undrawn = self._heard(trainer, pl_module, _split(trainer))
        if self._undrawn and (trainer.state.fn != "fit" or self._budget.allows()):
            self._draw(trainer, _split(trainer))

    on_test_end = on_validation_end

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._draw(trainer, "val")

    def _heard(self, trainer: Trainer, module: Any, split: str) -> Outcome | None:
        """Gathers the predictions of all devices, logs the ECE, and returns the predictions."""
        if self._listening:
            module.metrics.listeners.pop(split, None)
        if trainer.sanity_checking or not self._listening:
            return None
        nothing = torch.empty(0, dtype=torch.int64, device=module.device)
        waiting = self._waiting or [(nothing, nothing.float(), nothing)]
        mine = [torch.cat(parts) for parts in zip(*waiting, strict=True)]
        outcome = _of_all_devices(trainer.world_size, _indices(trainer, split), *mine)
        self._waiting.clear()
        if not len(outcome.labels):
            return None
        ece = expected_calibration_error(outcome.confidences, outcome.preds == outcome.labels)
        trainer.callback_metrics[f"{split}/ece"] = torch.tensor(ece, dtype=torch.float64)
        log_everywhere(trainer, {f"{split}/ece": ece}, trainer.state.fn == "fit")  # at the step of the accuracy
        return outcome

    @rank_zero_only
    def _draw(self, trainer: Trainer, split: str) -> None:
        data, outcome, self._undrawn = data_of(trainer), self._undrawn, None
        if data is None or outcome is None:
            return
        with self._budget.spending():
            preds, confidences, labels, indices = outcome
            names = data.class_names
            about = f"{data.dataset_name}, {NAMES[split]} images"
            counts = multiclass_confusion_matrix(preds, labels, data.num_classes)
            add(trainer, f"{split}/confusion", confusion_matrix(counts, names, about))
            add(trainer, f"{split}/accuracy of classes", class_accuracy(counts, names, f"{about}: accuracy by class"))
            add(trainer, f"{split}/reliability", reliability_diagram(confidences, preds == labels, about))
            if indices.min() >= 0:
                wrong = (preds != labels).nonzero().flatten()
                worst = wrong[confidences[wrong].argsort(descending=True, stable=True)][: self.mistakes]
                images, _ = data.arrays(split).gather(indices[worst].to(data.arrays(split).device))
                shown = as_bytes(images.cpu()), labels[worst], preds[worst], confidences[worst], names
                figure = worst_mistakes(*shown, f"{about}: the most confident of {counted(len(wrong), 'mistake')}")
                add(trainer, f"{split}/worst mistakes", figure)


def _split(trainer: Trainer) -> str:
    return "test" if trainer.testing else "val"


def _of_all_devices(devices: int, indices: Tensor, preds: Tensor, confidences: Tensor, labels: Tensor) -> Outcome:
    """Gathers the predictions of all devices, in the order of the images if it is known."""
    place = labels.device if devices > 1 else torch.device("cpu")
    if len(indices) != len(labels):
        indices = torch.full_like(labels, -1)
    # Integers and float32 are exact in float64, so one message is enough.
    rows = torch.stack([part.to(place).double() for part in (preds, confidences, labels, indices)], dim=1)
    if devices > 1:
        rows = torch.cat(gather_all_tensors(rows)).cpu()  # devices may have different numbers of rows
    preds, confidences, labels, indices = rows[rows[:, 3].argsort(stable=True)].unbind(1)
    return Outcome(preds.long(), confidences.float(), labels.long(), indices.long())


def _indices(trainer: Trainer, split: str) -> Tensor:
    """Returns the indices of the images in this device's evaluation batches, in order."""
    loader: Any = trainer.val_dataloaders if split == "val" else trainer.test_dataloaders
    if not isinstance(loader, ArrayLoader):
        return torch.empty(0, dtype=torch.int64)
    batches = trainer.num_val_batches if split == "val" else trainer.num_test_batches
    return torch.cat(list(loader.sampler)[: int(batches[0])])

"""Buffered metrics: accuracy and NLL of training, validation and test, updated with many batches at once."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from lit_cnn.errors import DivergedError
from lit_cnn.training.metrics import accuracy_and_nll

BATCHES = 64  # buffered before an update, since a metric update takes longer than a small network


class BufferedMetrics(nn.ModuleDict):
    """The metrics of each stage (`train_metrics`, `val_metrics`, `test_metrics`), and the test accuracy of each class.

    `test_views` is a separate stage: test images, with the mean logits over several views.

    Args:
        num_classes: Number of classes.

    Attributes:
        listeners: Functions by stage, called with all logits and labels.
    """

    def __init__(self, num_classes: int):
        stages = ("train", "val", "test", "test_views")
        names = {stage: (f"{stage}/", None) for stage in stages[:3]} | {"test_views": ("test/", "_views")}
        super().__init__()
        for stage, (prefix, postfix) in names.items():
            self[f"{stage}_metrics"] = accuracy_and_nll(num_classes, prefix, postfix, macro=stage in ("val", "test"))
        self["of_each_class"] = MulticlassAccuracy(num_classes, average="none", validate_args=False)
        self._waiting: dict[str, list[tuple[Tensor, Tensor]]] = {stage: [] for stage in stages}
        self.listeners: dict[str, Callable[[Tensor, Tensor], None]] = {}

    def clear(self) -> None:
        """Drops the batches of an interrupted run."""
        for waiting in self._waiting.values():
            waiting.clear()

    def add(self, stage: str, logits: Tensor, labels: Tensor) -> None:
        """Adds a batch to the buffer."""
        if len(labels):  # empty if there are more devices than images
            self._waiting[stage].append((logits, labels))
            if len(self._waiting[stage]) == BATCHES:
                self.catch_up(stage)

    def catch_up(self, stage: str) -> None:
        """Updates the metrics of a stage with the buffered batches."""
        if not self._waiting[stage]:
            return
        logits, labels = (torch.cat(parts) for parts in zip(*self._waiting[stage], strict=True))
        self._waiting[stage].clear()
        if labels.is_floating_point():  # a mixed image counts for its largest class
            labels = labels.argmax(dim=1)
        self[f"{stage}_metrics"].update(logits, labels)  # type: ignore[operator]
        if stage == "test":
            self["of_each_class"].update(logits, labels)  # type: ignore[operator]
        if stage in self.listeners:
            self.listeners[stage](logits, labels)

    def log(self, module: Any, stage: str) -> None:
        """Logs accuracy and NLL of a stage, through their module; warns if no device has counted an image.

        Raises:
            DivergedError: If the NLL is NaN.
        """
        self.catch_up(stage)
        of_stage: Any = self[f"{stage}_metrics"]
        any_device = partial(module.trainer.strategy.reduce_boolean_decision, all=False)
        if any_device(bool(of_stage["nll"].total.isnan())) and not module.trainer.sanity_checking:
            epoch = module.trainer.current_epoch + 1
            raise DivergedError(
                f"{stage}/nll is NaN at epoch {epoch}: some logits are NaN, or not finite.\n"
                f"If the loss of the training is finite, look at the {stage} images, and at what the network does only "
                "in evaluation (if self.training is false)."
            )
        if any_device(bool(of_stage["nll"].images)):
            # Logged as metrics, not values, so that Lightning computes them once, over all devices.
            module.log_dict(of_stage)
            return
        rank_zero_warn(
            f"{stage}/acc and {stage}/nll are missing: no images were counted for them.\nA step of "
            f"{type(module).__name__}'s own has to call `self.count(logits, labels, '{stage}')`; if only "
            "the loss is different, override `loss_of` instead."
        )

    def log_each_class(self, module: Any, names: Sequence[Any]) -> tuple[dict[str, float], dict[str, float]]:
        """Logs the test accuracy (recall) of each class; returns it in float64, since Lightning logs float32.

        The second dict has precision and F1 of each class, which are not logged.
        """
        metric: Any = self["of_each_class"]
        with metric.sync_context():
            right, images = metric.tp.tolist(), (metric.tp + metric.fn).tolist()
            predicted = (metric.tp + metric.fp).tolist()
        exact = {f"test/acc_of/{names[k]}": r / n for k, (r, n) in enumerate(zip(right, images, strict=True)) if n}
        # Equal on all devices; a mean would round again.
        module.log_dict(exact, sync_dist=True, reduce_fx="max")
        metric.reset()
        others = {}
        for name, r, n, m in zip(names, right, images, predicted, strict=True):
            if n:
                others[f"test/precision_of/{name}"] = r / m if m else 0.0
                others[f"test/f1_of/{name}"] = 2 * r / (n + m)
        return exact, others

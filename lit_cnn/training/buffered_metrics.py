"""Buffered metrics: accuracy and NLL of training, validation and test, updated with many batches at once."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lit_cnn.training import metrics

BATCHES = 64  # buffered before an update, since a metric update takes longer than a small network


class BufferedMetrics(nn.ModuleDict):
    """The metrics of each stage (`train_metrics`, `val_metrics`, `test_metrics`), and the test accuracy of each class.

    `test_views` is a stage of its own: the test images by the mean over several views.

    Args:
        num_classes: Number of classes.

    Attributes:
        listeners: Functions by stage, called with all logits and labels.
    """

    def __init__(self, num_classes: int):
        stages = ("train", "val", "test", "test_views")
        names = {stage: (f"{stage}/", None) for stage in stages[:3]} | {"test_views": ("test/", "_views")}
        super().__init__({f"{s}_metrics": metrics.accuracy_and_nll(num_classes, *name) for s, name in names.items()})
        self["of_each_class"] = metrics.accuracy_per_class(num_classes)
        self._waiting: dict[str, list[tuple[Tensor, Tensor]]] = {stage: [] for stage in stages}
        self.listeners: dict[str, Callable[[Tensor, Tensor], None]] = {}

    def clear(self) -> None:
        """Drops the batches of an interrupted run."""
        for waiting in self._waiting.values():
            waiting.clear()

    def add(self, stage: str, logits: Tensor, labels: Tensor) -> None:
        """Adds a batch to the buffer."""
        if len(labels):  # a device has none if there are more devices than images
            self._waiting[stage].append((logits, labels))
            if len(self._waiting[stage]) == BATCHES:
                self.catch_up(stage)

    def catch_up(self, stage: str) -> None:
        """Updates the metrics of a stage with the buffered batches."""
        if not (waiting := self._waiting[stage]):
            return
        logits, labels = (torch.cat(parts) for parts in zip(*waiting, strict=True))
        waiting.clear()
        if labels.is_floating_point():  # a mixed image counts for its largest class
            labels = labels.argmax(dim=1)
        self[f"{stage}_metrics"].update(logits, labels)  # type: ignore[operator]
        if stage == "test":
            self["of_each_class"].update(logits, labels)  # type: ignore[operator]
        if stage in self.listeners:
            self.listeners[stage](logits, labels)

    def log(self, module: Any, stage: str) -> None:
        """Logs accuracy and NLL of a stage, through the module with these metrics."""
        self.catch_up(stage)
        metrics.log_counted(module, stage)

    def log_each_class(self, module: Any, names: Sequence[Any]) -> dict[str, float]:
        """Logs the test accuracy of each class, and returns it in float64; Lightning logs float32."""
        shares = metrics.share_of_each(self["of_each_class"]).items()
        exact = {f"test/acc_of/{names[k]}": share for k, share in shares}
        # Equal on all devices; a mean would round again.
        module.log_dict(exact, sync_dist=True, reduce_fx="max")
        self["of_each_class"].reset()  # type: ignore[operator]
        return exact

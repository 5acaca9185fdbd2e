"""Metrics: accuracy, macro accuracy and F1, and negative log-likelihood (NLL), exact over batches and devices."""

from collections.abc import Callable
from math import nan
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassStatScores

from lit_cnn.devices import has_float64

VECTOR = 64  # images; a multiple of the float32 numbers in a vector of any CPU


class NLL(Metric):
    """Negative log-likelihood of the labels, in nats per image: a sum and a count, divided at the end.

    So a short last batch has the right weight: batches of 8 and 2 images equal one of 10.
    Guessing among k classes gives ln(k), 2.303 for ten.

    Example:
        >>> nll = NLL()
        >>> nll.update(torch.zeros(3, 10), torch.tensor([0, 1, 2]))
        >>> round(float(nll.compute()), 3)
        2.303
    """

    is_differentiable = True
    higher_is_better = False
    full_state_update = False
    total: Tensor
    images: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("images", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, logits: Float[Tensor, "b k"], labels: Int64[Tensor, "b"]) -> None:
        """Adds a batch of logits (or of log-probabilities, which are logits too)."""
        # With the classes first it takes a sixth of the time on a CPU. The number of batches in an update makes no
        # difference: the sum is in float64, and the images fill whole vectors of the CPU, since those beyond the last
        # whole vector are rounded in another way.
        images, missing = len(labels), -len(labels) % VECTOR
        padded, padded_labels = F.pad(logits.float().t(), (0, missing)), F.pad(labels, (0, missing))
        of_images = F.cross_entropy(padded[None], padded_labels[None], reduction="none")[0, :images]
        self.total += of_images.sum(dtype=self.total.dtype)
        self.images += images

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any) -> nn.Module:
        if not has_float64(fn(torch.zeros(())).device):
            self.total, self._defaults["total"] = self.total.float(), torch.zeros(())
        # Moved but not cast: `bf16-true` casts a whole module to bfloat16, which is too coarse for counts.
        return super()._apply(lambda state: fn(state).to(state.dtype), *args, **kwargs)

    def compute(self) -> Float[Tensor, ""]:
        """Returns nats per image."""
        exact = self.total.cpu().double() / self.images.cpu()
        return exact if has_float64(self.device) else exact.float()


class Accuracy(MulticlassAccuracy):
    """Accuracy, from 0 to 1, in float64.

    torchmetrics divides the counts in float32. There .949 - .948 and .950 - .949 differ by 6e-8, and a test over seeds
    would treat this rounding as a real spread.

    Example:
        >>> accuracy = Accuracy(3)
        >>> accuracy.update(torch.eye(3), torch.tensor([0, 1, 1]))
        >>> float(accuracy.compute()), accuracy.correct, accuracy.counted
        (0.6666666666666666, 2, 3)
    """

    tp: Tensor
    fn: Tensor
    correct: int = 0  # images on all devices when it was last computed
    counted: int = 0

    def __init__(self, num_classes: int):
        super().__init__(num_classes, average="micro", validate_args=False)

    def compute(self) -> Float[Tensor, ""]:
        """Returns the accuracy, and keeps the counts."""
        self.correct = int(self.tp)
        self.counted = self.correct + int(self.fn)
        kind = torch.float64 if has_float64(self.device) else torch.float32  # Lightning moves it to the device
        return torch.tensor(self.correct / self.counted if self.counted else nan, dtype=kind)


class MacroAccuracy(MulticlassStatScores):
    """Macro accuracy: the mean of the accuracies of the classes, from 0 to 1, in float64.

    It is the macro recall, and scikit-learn's balanced accuracy: classes without images do not count.

    Example:
        >>> accuracy = MacroAccuracy(2)
        >>> accuracy.update(torch.eye(2)[[0, 0, 0, 0]], torch.tensor([0, 0, 0, 1]))
        >>> float(accuracy.compute())
        0.5
    """

    tp: Tensor
    fp: Tensor
    fn: Tensor

    def __init__(self, num_classes: int):
        super().__init__(num_classes, average="macro", validate_args=False)

    def compute(self) -> Float[Tensor, ""]:
        """Returns the mean over the classes with images."""
        return self._mean(self.tp, self.tp + self.fn)

    def _mean(self, right: Tensor, of: Tensor) -> Float[Tensor, ""]:
        there = (of > 0).cpu()
        exact = (right.cpu().double()[there] / of.cpu().double()[there]).mean()
        return exact if has_float64(self.device) else exact.float()


class MacroF1(MacroAccuracy):
    """Macro F1: the mean over the classes of 2 TP / (2 TP + FP + FN), from 0 to 1, in float64.

    Classes that have no images and are never predicted do not count, as in torchmetrics and scikit-learn.

    Example:
        >>> f1 = MacroF1(2)
        >>> f1.update(torch.eye(2)[[0, 0, 0, 1]], torch.tensor([0, 0, 1, 1]))
        >>> round(float(f1.compute()), 4)
        0.7333
    """

    def compute(self) -> Float[Tensor, ""]:
        """Returns the mean over the classes with images or predictions."""
        return self._mean(2 * self.tp, 2 * self.tp + self.fp + self.fn)


def accuracy_and_nll(
    num_classes: int, prefix: str = "", postfix: str | None = None, macro: bool = False
) -> MetricCollection:
    """Returns the metrics `acc` (micro accuracy, from 0 to 1) and `nll` (nats per image); also `acc_macro` and `f1`."""
    parts: dict[str, Any] = {"acc": Accuracy(num_classes), "nll": NLL()}
    if macro:
        parts |= {"acc_macro": MacroAccuracy(num_classes), "f1": MacroF1(num_classes)}
    return MetricCollection(parts, prefix=prefix, postfix=postfix, compute_groups=False)


def counts_of(metrics: Any) -> dict[str, dict[str, Tensor]]:
    """Returns the counts of a collection of metrics, summed over devices; another number of devices may continue."""
    counts = {}
    for name, metric in metrics.items():
        with metric.sync_context():
            counts[name] = {state: value.clone() for state, value in metric.metric_state.items()}
    return counts


def go_on_counting(metrics: Any, counts: dict[str, dict[str, Tensor]], first: bool) -> None:
    """Restores the counts of `counts_of` in a collection of metrics; only the first device takes them."""
    for name, states in counts.items():
        metrics[name]._update_count = 1  # it counts as updated, and may compute
        for state, value in states.items() if first else ():
            setattr(metrics[name], state, value.to(getattr(metrics[name], state).dtype).to(metrics[name].device))

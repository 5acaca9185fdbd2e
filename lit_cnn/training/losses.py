"""Loss functions: cross-entropy, NLL and hinge, as a mean over the batch, with or without weights of the classes."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import isfinite
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from lit_cnn.errors import ConfigError, nearest, printable

LossName = Literal["cross_entropy", "nll", "hinge"]
ClassWeights = Literal["balanced"] | list[float] | dict[str, float]


class Loss(nn.Module):
    """The mean of a loss function over a batch; each image has the weight of its class.

    Differs from torch's weighted mean: the sum is divided by the number of images, not by the sum of their weights. So
    the mean over several devices is the loss of the whole batch.
    """

    weights: Tensor | None

    def __init__(self, function: Callable[..., Tensor]):
        super().__init__()
        self.function = function
        self.register_buffer("weights", None, persistent=False)

    def forward(self, logits: Float[Tensor, "b k"], targets: Tensor) -> Float[Tensor, ""]:
        """Returns the loss for classes, or for shares of the classes."""
        if self.weights is None:
            return self.function(logits, targets)
        return self.function(logits, targets, weight=self.weights.to(logits.dtype), reduction="none").mean()


def weights_of(given: ClassWeights, labels: Int64[Tensor, "n"], class_names: Sequence[str]) -> Float[Tensor, "k"]:
    """Returns the weight of each class.

    Args:
        given: "balanced", n / (k * images of the class), so that all classes weigh the same and the mean over the n
            training images is 1; or the weights, in the order of the classes or by their names, 1 where none is given.
        labels: The classes of the training images.
        class_names: Names of the k classes.

    Raises:
        ConfigError: If a class is not there, or a weight is below 0 or not finite.
    """
    names = list(class_names)
    if given == "balanced":
        counts = torch.bincount(labels.cpu(), minlength=len(names)).double()
        return torch.where(counts > 0, len(labels) / (len(names) * counts), 0).float()
    if isinstance(given, Mapping):
        if unknown := [name for name in given if name not in names]:
            known = ", ".join(printable(name) for name in names[:10]) + (" ..." if len(names) > 10 else "")
            raise ConfigError(
                f"`class_weights` has {unknown[0]!r}, which is not a class.{nearest(unknown[0], names)}\n"
                f"The classes are {known}."
            )
        weights = [float(given.get(name, 1)) for name in names]
    else:
        weights = [float(weight) for weight in given]
        if len(weights) != len(names):
            raise ConfigError(f"`class_weights` has {len(weights)} weights, but there are {len(names)} classes.")
    if not all(isfinite(weight) and weight >= 0 for weight in weights) or not any(weights):
        raise ConfigError(f"`class_weights` have to be numbers from 0 up, not all 0, but got {given}.")
    return torch.tensor(weights)


def build_loss(name: LossName, label_smoothing: float = 0.0) -> Loss:
    """Returns the loss function of this name.

    Args:
        name: "cross_entropy"; "nll", the same, since log-softmax leaves log-probabilities unchanged; or "hinge", the
            multi-class margin loss of Weston & Watkins 1999 with a margin of 1, divided by the number of classes.
        label_smoothing: Label smoothing, from 0 to 1, for cross-entropy only (Szegedy et al. 2016,
            https://arxiv.org/abs/1512.00567).

    Raises:
        ValueError: If label_smoothing is out of range, or the loss does not take it.
    """
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"`label_smoothing` has to be a share from 0 up to 1, but got {label_smoothing}.")
    if label_smoothing and name != "cross_entropy":
        raise ValueError(f"`label_smoothing` works only with the loss cross_entropy, not with {name}.")
    return Loss(F.multi_margin_loss if name == "hinge" else partial(F.cross_entropy, label_smoothing=label_smoothing))

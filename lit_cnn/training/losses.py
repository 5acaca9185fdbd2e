"""Loss functions: cross-entropy, NLL and hinge, as a mean over the batch."""

from collections.abc import Callable
from functools import partial
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

LossName = Literal["cross_entropy", "nll", "hinge"]


def build_loss(name: LossName, label_smoothing: float = 0.0) -> Callable[[Tensor, Tensor], Tensor]:
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
        raise ValueError(f"`label_smoothing` is a share from 0 up to 1, but got {label_smoothing}.")
    if label_smoothing and name != "cross_entropy":
        raise ValueError(f"`label_smoothing` goes with the loss cross_entropy, not with {name}.")
    return F.multi_margin_loss if name == "hinge" else partial(F.cross_entropy, label_smoothing=label_smoothing)

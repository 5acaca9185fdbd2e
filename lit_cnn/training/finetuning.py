"""Fine-tuning: a learning rate of its own for the backbone, and epochs in which only the head is trained."""

import re
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from lit_cnn.errors import ConfigError
from lit_cnn.models.heads import heads_of


def check(net: nn.Module, body_lr: float | None, frozen_epochs: int) -> None:
    """Raises a ConfigError if the settings are out of range, or the network has no head to tell from a body."""
    if body_lr is not None and not body_lr > 0:
        raise ConfigError(f"`body_lr` is a learning rate above 0, but got {body_lr}. To freeze: frozen_epochs.")
    if frozen_epochs < 0:
        raise ConfigError(f"`frozen_epochs` is a number of epochs from 0 up, but got {frozen_epochs}.")
    if not (body_lr or frozen_epochs):
        return
    if not heads_of(net):
        raise ConfigError(f"`body_lr` and `frozen_epochs`: {type(net).__name__} has no last layer to be its head.")
    if frozen_epochs and getattr(net, "_body_is_frozen", False):
        raise ConfigError("`freeze_body` keeps the backbone frozen, `frozen_epochs` for some epochs. Leave one out.")


def groups_of(net: nn.Module, h: Any) -> list[dict[str, Any]]:
    """Returns `param_groups` with a last one for the backbone, if `body_lr` is set."""
    groups = list(h["param_groups"] or ())
    if h["body_lr"] is not None:
        heads = "|".join(map(re.escape, heads_of(net)))
        groups.append({"label": "body_lr", "pattern": rf"^(?!(?:{heads})\.)", "lr": h["body_lr"]})
    return groups


class Frozen:
    """The backbone of a network, frozen and unfrozen by the number of the epoch.

    The optimizer has all its parameters from the start, so that schedules and a resume need to know nothing of it.
    """

    def __init__(self, body: nn.Module, epochs: int):
        self.epochs = epochs
        self.parameters = [p for p in body.parameters() if p.requires_grad]
        self.norms = [layer for layer in body.modules() if isinstance(layer, _BatchNorm)]
        self.frozen = False

    def begin(self, epoch: int) -> None:
        """Freezes in the first epochs, batch norms' statistics too, and unfreezes after them."""
        now = epoch < self.epochs
        if now or self.frozen:
            for parameter in self.parameters:
                parameter.requires_grad_(not now)
            for norm in self.norms:
                norm.train(not now)
        self.frozen = now

"""Fine-tuning: another learning rate for the backbone, and epochs in which only the head is trained."""

import re
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from lit_cnn.errors import ConfigError
from lit_cnn.models.heads import body_of, heads_of


def check(net: nn.Module, body_lr: float | None, frozen_epochs: int) -> None:
    """Raises a ConfigError if the network has no separate head and body."""
    if not (body_lr or frozen_epochs):
        return
    if not heads_of(net):
        raise ConfigError(
            f"`body_lr` and `frozen_epochs`: {type(net).__name__} has no last layer that could be its head."
        )
    if frozen_epochs and getattr(net, "_body_is_frozen", False):
        raise ConfigError("`freeze_body` freezes the backbone, `frozen_epochs` only for some epochs. Remove one.")


def groups_of(net: nn.Module, h: Any) -> list[dict[str, Any]]:
    """Returns `param_groups`, with an additional last group for the backbone if `body_lr` is set."""
    groups = list(h["param_groups"] or ())
    if h["body_lr"] is not None:
        heads = "|".join(map(re.escape, heads_of(net)))
        groups.append({"label": "body_lr", "pattern": rf"^(?!(?:{heads})\.)", "lr": h["body_lr"]})
    return groups


class HeadFirst(Callback):
    """Trains only the head in the first epochs: the backbone is frozen, including the statistics of its batch norms.

    The optimizer has all parameters from the start, so schedules and resume work without changes.

    Args:
        net: The network.
        epochs: How many epochs.
    """

    def __init__(self, net: nn.Module, epochs: int):
        body = body_of(net)
        self.epochs, self.frozen = epochs, False
        self.parameters = [p for p in body.parameters() if p.requires_grad]
        self.norms = [layer for layer in body.modules() if isinstance(layer, _BatchNorm)]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Freezes the backbone, also after a mid-epoch resume, where Lightning calls no epoch start."""
        if trainer.world_size > 1:
            raise ConfigError(
                "`frozen_epochs` works only on one device: several share gradients, and frozen layers have none."
            )
        self._freeze(trainer.current_epoch < self.epochs)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Freezes or unfreezes."""
        self._freeze(trainer.current_epoch < self.epochs)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Unfreezes the backbone, so that another run of this network starts like the first."""
        self._freeze(False)

    def _freeze(self, now: bool) -> None:
        if now or self.frozen:
            for parameter in self.parameters:
                parameter.requires_grad_(not now)
            for norm in self.norms:
                norm.train(not now)
        self.frozen = now

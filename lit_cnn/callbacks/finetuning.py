"""Checks and a fix for Lightning's BackboneFinetuning: backbone, schedule, and unfreezing after a resume."""

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import BackboneFinetuning
from torch import nn

from lit_cnn.errors import ConfigError


class Thaw(Callback):
    """Unfreezes the backbone again in a run that resumes after its unfreezing; Lightning 2.6 leaves it frozen."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
        if not all(parameter.requires_grad for group in groups for parameter in group["params"]):
            BackboneFinetuning.make_trainable(pl_module.backbone)


def refuse_unfit(callback: BackboneFinetuning, module: LightningModule) -> None:
    """Raises a ConfigError if there is no backbone, it is frozen for good, or a schedule sets the learning rate."""
    name, epoch = type(callback).__name__, callback.unfreeze_backbone_at_epoch
    if not isinstance(getattr(module, "backbone", None), nn.Module):
        raise ConfigError(
            f"trainer.callbacks: {name} needs a `backbone` to freeze, but {type(module).__name__} has none.\n"
            "Use a network whose last layer is fully connected or convolutional, or remove the callback."
        )
    if module.hparams.get("freeze_body"):
        raise ConfigError(
            f"model.freeze_body freezes the layers that {name} trains from epoch {epoch} on. Remove one of them."
        )
    if module.hparams.get("frozen_epochs"):
        raise ConfigError(f"model.frozen_epochs and {name} do the same. Remove one of them.")
    if scheduler := module.hparams.get("scheduler"):
        raise ConfigError(
            f"model.scheduler: {scheduler} does not schedule the parameters that {name} adds in epoch {epoch}.\n"
            f"Remove {name}, and use --model.frozen_epochs {epoch}, which works with any schedule."
        )

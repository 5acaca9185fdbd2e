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
            f"trainer.callbacks: {name} trains a head first, but {type(module).__name__} has no `backbone` to freeze.\n"
            "Take a network with a last fully connected or convolutional layer, or remove the callback."
        )
    if module.hparams.get("freeze_body"):
        raise ConfigError(
            f"model.freeze_body keeps frozen what {name} would train from epoch {epoch} on. Leave one of them out."
        )
    if module.hparams.get("frozen_epochs"):
        raise ConfigError(f"model.frozen_epochs does what {name} does. Leave one of them out.")
    if scheduler := module.hparams.get("scheduler"):
        raise ConfigError(
            f"model.scheduler: {scheduler} does not know the parameters that {name} brings in epoch {epoch}.\n"
            f"Leave {name} out, and take --model.frozen_epochs {epoch}, which goes with any schedule."
        )

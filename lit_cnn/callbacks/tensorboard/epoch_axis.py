"""Epochs instead of steps on TensorBoard's x-axis, for metrics logged once an epoch."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

OF_EPOCHS = ("train/acc", "train/nll", "val/", "test/", "layers/", "hp/", "seconds", "each_epoch/")


class EpochBoard(TensorBoardLogger):
    """TensorBoard logger whose x-axis is the epoch, from 1, for all metrics logged once an epoch.

    It is a logger, since a metric called "step", which Lightning would use as the step, would change metrics.csv too,
    which a resume needs. Loss and learning rate keep steps.
    """

    epoch = 0  # the present or last epoch, set by `EpochAxis`

    @rank_zero_only
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Writes each metric at its step or epoch."""
        of_epochs = {name: value for name, value in metrics.items() if name.startswith(OF_EPOCHS)}
        super().log_metrics({name: value for name, value in metrics.items() if name not in of_epochs}, step)
        super().log_metrics(of_epochs, self.epoch)


class EpochAxis(Callback):
    """Tells `EpochBoard` loggers the present epoch."""

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Sets the epoch, counted from 1 as in the printed lines."""
        for logger in trainer.loggers:
            if isinstance(logger, EpochBoard):
                logger.epoch = trainer.current_epoch + 1

    on_train_start = on_train_epoch_start  # after a mid-epoch resume, where Lightning calls no epoch start


def place(logger: TensorBoardLogger, trainer: Trainer) -> int:
    """Returns the present position on a logger's x-axis."""
    return logger.epoch if isinstance(logger, EpochBoard) else trainer.global_step

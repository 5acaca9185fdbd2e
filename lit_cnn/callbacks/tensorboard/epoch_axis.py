"""Epochs in place of steps on TensorBoard's x-axis, for what comes once an epoch."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

OF_EPOCHS = ("train/acc", "train/nll", "val/", "test/", "layers/", "hp/", "seconds", "each_epoch/")


class EpochBoard(TensorBoardLogger):
    """Lightning's, with the number of an epoch, from 1 on, as the step of all that comes once an epoch.

    A logger and not a metric called "step", which Lightning would take for one: that changes metrics.csv too, by which
    a run goes on. Loss and learning rate are of steps, and stay where they are.
    """

    epoch = 0  # the one that goes on, or went on last; `EpochAxis` says which it is

    @rank_zero_only
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Writes each at its place."""
        of_epochs = {name: value for name, value in metrics.items() if name.startswith(OF_EPOCHS)}
        super().log_metrics({name: value for name, value in metrics.items() if name not in of_epochs}, step)
        super().log_metrics(of_epochs, self.epoch)


class EpochAxis(Callback):
    """Tells the loggers that go by epochs which it is."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Also where a training goes on in the middle of an epoch, whose start Lightning does not call."""
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Counts from 1 on, as the lines that are printed do."""
        for logger in trainer.loggers:
            if isinstance(logger, EpochBoard):
                logger.epoch = trainer.current_epoch + 1


def place(logger: TensorBoardLogger, trainer: Trainer) -> int:
    """Returns where on a logger's x-axis a figure belongs that is drawn now."""
    return logger.epoch if isinstance(logger, EpochBoard) else trainer.global_step

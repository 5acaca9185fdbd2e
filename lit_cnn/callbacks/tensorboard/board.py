"""TensorBoard loggers: rarely used cards come last; the x-axis is optimizer steps or epochs."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

WATCH = "watch/"  # TensorBoard sorts its cards by the alphabet: test, train, val, then the rarely used ones
OF_EPOCHS = ("train/acc", "train/nll", "val/", "test/", "seconds", "each_epoch/", WATCH)


class Board(TensorBoardLogger):
    """TensorBoard logger without useless cards: no card of the epoch against the step, and none with NaN only.

    Learning rate and seconds are in the group `watch`, with the scalars of the layers.
    """

    @rank_zero_only
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Writes each metric except NaN: `Results` logs NaN once, to announce the columns of the HParams tab."""
        shown = {name: value for name, value in metrics.items() if name != "epoch" and value == value}
        super().log_metrics({WATCH * (name in ("lr", "seconds")) + name: v for name, v in shown.items()}, step)


class EpochBoard(Board):
    """TensorBoard logger whose x-axis is the epoch, from 1, for all metrics logged once an epoch.

    Lightning could also be given the x-axis as a metric called "step". But that would change metrics.csv too, and a
    resume needs the steps there. Loss and learning rate keep their steps.
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

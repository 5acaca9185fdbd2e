"""Which checkpoints a run keeps: the best, and the last."""

from datetime import timedelta
from typing import Any

from jsonargparse.typing import restricted_string_type
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from lit_cnn.loop_conditions import patient
from lit_cnn.signals import more_than_a_batch_ends

Minutes = restricted_string_type("Minutes", r"^\d+(\.\d+)?min$", docstring="minutes, such as 10min")


def arrange_checkpoints(callbacks: list[Callback], enabled: bool, every: int | str | None, last: str = "last") -> None:
    """Has the last checkpoint written beside the best, which is among the callbacks already.

    Args:
        callbacks: The Trainer's, changed in place.
        enabled: Whether checkpoints are wanted at all.
        every: Steps, or minutes such as "10min", after which the last one is written within an epoch too.
        last: Its name, without the suffix.
    """
    best = next(c for c in callbacks if isinstance(c, ModelCheckpoint))
    if not enabled:
        callbacks.remove(best)
        return
    if best.monitor is None:  # nothing to choose the best by: the last is all there is
        best.filename = last
    else:
        callbacks.append(_last(ModelCheckpoint, last))
    if isinstance(every, str):
        interval = timedelta(minutes=float(every.removesuffix("min")))
        callbacks.append(_last(_WithinEpochs, last, train_time_interval=interval))
    elif every:
        callbacks.append(_last(_WithinEpochs, last, every_n_train_steps=every))


def _last(kind: type[ModelCheckpoint], name: str, **when: Any) -> ModelCheckpoint:
    return kind(filename=name, enable_version_counter=False, **when)


@patient
class _WithinEpochs(ModelCheckpoint):
    """Writes after steps or minutes; what would come right before an epoch's end comes with it."""

    def on_train_batch_end(self, trainer: Trainer, *others: Any) -> None:
        if not more_than_a_batch_ends(trainer):
            super().on_train_batch_end(trainer, *others)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_batch_end(trainer, pl_module, None, None, trainer.fit_loop.epoch_loop.batch_idx)

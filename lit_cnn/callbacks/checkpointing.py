"""Checkpoints that a run keeps: the best and the last."""

from datetime import timedelta
from typing import Any

from jsonargparse.typing import restricted_string_type
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from lit_cnn.callbacks.given import given
from lit_cnn.errors import ConfigError
from lit_cnn.training import lightning_internals as internals
from lit_cnn.training.loop_conditions import patient

LAST = "last"  # its file name, without the suffix

Minutes = restricted_string_type("Minutes", r"^\d+(\.\d+)?min$", docstring="minutes, such as 10min")


def refuse_one_name(best: Any) -> None:
    """Refuses settings of a ModelCheckpoint that give several checkpoints the same file name."""
    if best.save_top_k not in (0, 1) and "{" not in (best.filename or ""):
        raise ConfigError(
            f"checkpoint.save_top_k is {best.save_top_k}, but all checkpoints would have the name {best.filename!r}.\n"
            "Set --checkpoint.filename to something like 'epoch{epoch:03}' too."
        )


def arrange_checkpoints(callbacks: list[Callback], trainer: dict[str, Any], every: int | str | None) -> None:
    """Adds a callback for the last checkpoint, and puts that for the best checkpoint first: Lightning tests the first.

    Args:
        callbacks: The run's callbacks, from which the best is taken.
        trainer: The Trainer's settings, changed in place.
        every: Interval of the last checkpoint within an epoch: steps, or minutes such as "10min".
    """
    best = next(c for c in callbacks if isinstance(c, ModelCheckpoint))
    callbacks.remove(best)
    trainer["callbacks"] = given(trainer)
    if trainer["enable_checkpointing"] is False:
        return
    # At the end of each epoch, with or without validation; if there are several in an epoch, after each validation.
    at_epoch_end = True if trainer["val_check_interval"] in (None, 1.0) else None
    kept: list[Callback] = [_new(Last, save_on_train_epoch_end=at_epoch_end)]
    if best.monitor is not None or best.save_top_k != 1:  # else the last is enough
        kept.insert(0, best)
    if isinstance(every, str):
        interval = timedelta(minutes=float(every.removesuffix("min")))
        kept.append(_new(_WithinEpochs, train_time_interval=interval))
    elif every:
        kept.append(_new(_WithinEpochs, every_n_train_steps=every))
    trainer["callbacks"] = [*kept, *trainer["callbacks"]]


def _new(kind: type[ModelCheckpoint], **when: Any) -> ModelCheckpoint:
    return kind(filename=LAST, enable_version_counter=False, **when)


@patient
class Last(ModelCheckpoint):
    """Saves the last checkpoint, from which a run resumes: after each epoch, and where the training stops within one.

    If a limit such as `max_time` or `max_steps` stops the training, the limit can be raised later, and the epoch
    continues with the next batch. So the checkpoint is saved before Lightning ends the epoch.
    """

    def on_train_batch_end(self, trainer: Trainer, *others: Any) -> None:
        """Saves if the training stops here; if a validation comes first, saves after it."""
        super().on_train_batch_end(trainer, *others)
        if not _stops_within_an_epoch(trainer):
            return
        if not validates(trainer) or not internals.validates_next(trainer):
            internals.save_now(self, trainer)
        for callback in trainer.checkpoint_callbacks:  # a validation at this batch is within the epoch
            if isinstance(callback, ModelCheckpoint) and not str(callback.monitor).startswith("train/"):
                internals.save_after_validation(callback)


def validates(trainer: Any) -> bool:
    """Whether there are validation images."""
    data = trainer.datamodule
    return bool(trainer.enable_validation) and (not hasattr(data, "arrays") or len(data.arrays("val")) > 0)


def _stops_within_an_epoch(trainer: Trainer) -> bool:
    """Whether the training ends with this batch, but the epoch does not."""
    loop = trainer.fit_loop.epoch_loop
    stops = (trainer.should_stop and loop.done) or 0 <= loop.max_steps <= trainer.global_step
    return stops and not internals.is_last_batch(trainer)


@patient
class _WithinEpochs(ModelCheckpoint):
    """Saves after a number of steps or minutes; a save that is due at the last batch waits for the end of the epoch."""

    def on_train_batch_end(self, trainer: Trainer, *others: Any) -> None:
        if not internals.more_than_a_batch_ends(trainer):
            super().on_train_batch_end(trainer, *others)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_batch_end(trainer, pl_module, None, None, trainer.fit_loop.epoch_loop.batch_idx)

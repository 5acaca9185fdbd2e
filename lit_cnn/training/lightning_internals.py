"""Lightning's private names: each is used here and nowhere else.

With a version of Lightning that was not tested, the fast loop stays off, and Lightning's own loops run.
"""

import math
from dataclasses import fields
from functools import cache
from typing import Any

from fsspec.implementations.local import LocalFileSystem
from lightning.pytorch import __version__
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import rank_zero_warn
from lightning.pytorch.utilities.types import LRSchedulerConfig
from packaging.specifiers import SpecifierSet

TESTED = ">=2.6.6,<2.7"  # as in pyproject.toml
STEPS_OF_OPTIMIZATION = ("run", "_optimizer_step", "_training_step")  # methods that take an optimizer step
# Keys of a schedule's dict in `configure_optimizers`; the first is needed.
SCHEDULER_KEYS = tuple(field.name for field in fields(LRSchedulerConfig))


@cache
def is_tested() -> bool:
    """Whether this version of Lightning was tested; warns once if not."""
    if SpecifierSet(TESTED).contains(__version__, prereleases=True):
        return True
    rank_zero_warn(
        f"The fast loop was tested with lightning{TESTED}, and this is {__version__}: "
        "Lightning's own loops are used: they are slower, with the same results."
    )
    return False


def is_last_batch(trainer: Any) -> bool:
    """Whether the present training batch is the last of its epoch."""
    return trainer.fit_loop.epoch_loop._num_ready_batches_reached()


def validates_next(trainer: Any) -> bool:
    """Whether a validation follows the present training batch."""
    return trainer.fit_loop.epoch_loop._should_check_val_fx(trainer.fit_loop._data_fetcher)


def more_than_a_batch_ends(trainer: Any) -> bool:
    """Whether a validation or the epoch's end follows the present training batch; a resume from here would skip it."""
    return is_last_batch(trainer) or validates_next(trainer)


def accumulates(trainer: Any) -> bool:
    """Whether the present training batch takes no optimizer step, since gradients accumulate."""
    return trainer.fit_loop.epoch_loop._should_accumulate()


def end_epoch_once(trainer: Any) -> None:
    """Starts the next epoch when a training resumes at the end of one.

    With `max_steps`, Lightning 2.6 treats that epoch as unfinished, and ends it a second time.
    """
    loop = trainer.fit_loop
    if loop.restarted_on_epoch_end:
        loop.epoch_progress.increment_completed()
        loop.reset_restart_stage()
        loop.epoch_loop.reset_restart_stage()
        loop._restarting = loop.epoch_loop.restarting = False


def restore_loader(trainer: Any) -> None:
    """Restores the training loader's position in an epoch from a checkpoint.

    The Trainer has lost it if something asked for the loader's length before, as schedulers do:
    https://github.com/Lightning-AI/pytorch-lightning/issues/20550
    """
    trainer.fit_loop._load_combined_loader_states()


def loader_of(loop: Any) -> Any:
    """Returns the data loader of a loop."""
    return loop._combined_loader.iterables


def batches_that_stepped(loop: Any) -> int:
    """Returns the number of batches with an optimizer step, by which loggers count steps."""
    return loop._batches_that_stepped


def count_batch_that_stepped(loop: Any) -> None:
    """Counts a batch that ended with an optimizer step."""
    loop._batches_that_stepped += 1


def end_training_batch(trainer: Any, outputs: dict[str, Any], batch: Any, batch_idx: int) -> None:
    """Calls the hooks for the end of a training batch."""
    from lightning.pytorch.trainer import call

    trainer._logger_connector.on_batch_start(batch)
    call._call_callback_hooks(trainer, "on_train_batch_end", outputs, batch, batch_idx)
    call._call_lightning_module_hook(trainer, "on_train_batch_end", outputs, batch, batch_idx)
    trainer._logger_connector.on_batch_end()
    trainer.fit_loop.epoch_loop.batch_progress.increment_completed()
    trainer._logger_connector.update_train_step_metrics()


def replace_evaluation_step(loop: Any, step: Any) -> None:
    """Replaces the step of an evaluation loop by a function; None restores Lightning's step."""
    vars(loop).pop("_evaluation_step", None)
    if step is not None:
        loop._evaluation_step = step


def evaluation_step(loop: Any, *args: Any) -> None:
    """Evaluates a batch with all hooks, as Lightning does."""
    type(loop)._evaluation_step(loop, *args)


def count_evaluated_batch(loop: Any, dataloader_idx: int) -> None:
    """Counts a batch that was evaluated without hooks."""
    loop._has_run = True
    loop._seen_batches_per_dataloader[dataloader_idx] += 1


def syncs_batch_norm(trainer: Any) -> bool:
    """Whether batch norms take their statistics over all devices."""
    return bool(getattr(trainer.strategy, "_layer_sync", None))


def time_of_validation(trainer: Any) -> float:
    """Returns the time in `time.monotonic` of the next validation by the clock."""
    every = trainer._val_check_time_interval
    return math.inf if every is None else trainer._last_val_time + every


def time_of_checkpoint(callback: Any, now: float) -> float:
    """Returns the time in `time.monotonic` of a ModelCheckpoint's next checkpoint by the clock."""
    every, last = callback._train_time_interval, callback._last_time_checked
    return math.inf if every is None else (now if last is None else last) + every.total_seconds()


def steps_between_checkpoints(callback: Any) -> int:
    """Returns the number of steps after which a ModelCheckpoint saves; 0 if it does not go by steps."""
    return callback._every_n_train_steps


def save_now(callback: Any, trainer: Any) -> None:
    """Makes a ModelCheckpoint without monitor save now, and not again at the same step."""
    callback._save_topk_checkpoint(trainer, {})


def save_after_validation(callback: Any) -> None:
    """Makes a ModelCheckpoint save after a validation, not at the end of the epoch."""
    callback._save_on_train_epoch_end = False


def decay_of_average(callback: Any) -> float:
    """Returns the decay of an EMAWeightAveraging."""
    return callback._kwargs["avg_fn"](1.0, 0.0, 1)


def drop_average(callback: Any) -> None:
    """Removes the average of a WeightAveraging, which would go into checkpoints that are loaded later."""
    callback._average_model = None


def tracking_uri(logger: Any) -> str:
    """Returns where an MLFlowLogger keeps its runs."""
    return str(logger._tracking_uri)


class _UTF8Files(LocalFileSystem):
    def open(self, path: Any, mode: str = "rb", **options: Any) -> Any:
        return super().open(path, mode, **(options if "b" in mode else options | {"encoding": "utf-8"}))


class UTF8CSVLogger(CSVLogger):
    """CSV logger that writes UTF-8, where Lightning's takes the system's encoding."""

    @property
    def experiment(self) -> Any:
        """The writer."""
        writer = super().experiment
        writer._fs = _UTF8Files()
        return writer

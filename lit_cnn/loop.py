"""Lightning's loops, with their bookkeeping once for many batches where nobody watches each of them.

A step of a small network takes less time than what Lightning does around it: hooks, progress, results, transfers.
Most of that is only needed where something happens: a validation, a checkpoint, the end of an epoch, or time to
write the log and move the progress bar. `FewerCalls` takes the batches between by themselves, with the same
mathematics, and every one at which something happens through Lightning.
"""

import time
from collections.abc import Sequence
from typing import Any

from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import (
    DeviceStatsMonitor,
    EarlyStopping,
    LearningRateMonitor,
    ModelCheckpoint,
    ModelSummary,
    ProgressBar,
    Timer,
)
from lightning.pytorch.loops.evaluation_loop import _EvaluationLoop
from lightning.pytorch.loops.fetchers import _DataFetcher
from lightning.pytorch.loops.fit_loop import _FitLoop
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.plugins.precision import MixedPrecision, Precision
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.strategies import SingleDeviceStrategy
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch.optim import Optimizer

from lit_cnn.data.loader import ArrayLoader
from lit_cnn.signals import StopOnSignal

# Callbacks that go by the clock, by epochs, or by the steps that `_until_something_happens` knows.
LOGGING = (LearningRateMonitor, DeviceStatsMonitor)
PATIENT = (*LOGGING, ModelCheckpoint, EarlyStopping, ProgressBar, ModelSummary, Timer, StopOnSignal)

TRANSFER_HOOKS = ("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer")
# What Lightning calls at each batch, of callbacks and module alike, and of the module alone.
TRAINING_HOOKS = (
    *("on_train_batch_start", "on_train_batch_end", "on_before_zero_grad", "on_before_backward"),
    *("on_after_backward", "on_before_optimizer_step"),
)
TRAINING_STEPS = ("training_step", "backward", "optimizer_step", "optimizer_zero_grad", "lr_scheduler_step")
EVALUATION_HOOKS = ("on_{}_batch_start", "on_{}_batch_end")


class FewerCalls(Callback):
    """Takes batches with fewer calls: the same steps, results, logs and checkpoints, in less time.

    It does so where it can be sure that it makes no difference: for LitClassifier on the batches of our data modules,
    on a single device, with no gradient accumulation or clipping, no profiler, and no hook or callback that
    wants to see each batch. Elsewhere Lightning's loops go as ever.

    Args:
        base: The LightningModule whose own hooks need no call at each batch. Subclasses of it that bring others go
            batch by batch.
        seconds: Longest time without a call to Lightning, so that the log is written and the progress bar moves.
    """

    def __init__(self, base: type[LightningModule], seconds: float = 0.2):
        self.base = base
        self.seconds = seconds

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts the faster loop in the place of Lightning's."""
        _end_epoch_once(trainer.fit_loop)
        if (
            trainer.accumulate_grad_batches == 1
            and not trainer.gradient_clip_val
            and len(trainer.optimizers) == 1
            and not _overrides(trainer.optimizers[0], Optimizer, ("zero_grad",))
            and not any(_overrides(c, Callback, TRAINING_HOOKS) for c in _others(trainer, PATIENT))
            and not _overrides(pl_module, self.base, (*TRAINING_HOOKS, *TRAINING_STEPS))
            and self._is_plain(trainer, pl_module, trainer.train_dataloader)
        ):
            self._replace(trainer.fit_loop.epoch_loop, _TrainingEpochLoop, _FewerCallsLoop)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts Lightning's loop back."""
        self._replace(trainer.fit_loop.epoch_loop, _FewerCallsLoop, _TrainingEpochLoop)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts the faster loop in the place of Lightning's."""
        self._start_evaluation(trainer, pl_module, "validation", trainer.val_dataloaders)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts Lightning's loop back."""
        self._replace(trainer._active_loop, _FewerCallsEvaluation, _EvaluationLoop)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts the faster loop in the place of Lightning's."""
        self._start_evaluation(trainer, pl_module, "test", trainer.test_dataloaders)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts Lightning's loop back."""
        self._replace(trainer._active_loop, _FewerCallsEvaluation, _EvaluationLoop)

    def on_exception(self, trainer: Trainer, pl_module: Any, exception: BaseException) -> None:
        """Logs what is waiting, so that a run that breaks off shows what it came to."""
        pl_module.log_noted()

    def _start_evaluation(self, trainer: Trainer, module: LightningModule, stage: str, loader: Any) -> None:
        hooks = [hook.format(stage) for hook in EVALUATION_HOOKS]
        if (
            not any(_overrides(c, Callback, hooks) for c in _others(trainer, (ProgressBar, StopOnSignal)))
            and not _overrides(module, self.base, (*hooks, f"{stage}_step"))
            and self._is_plain(trainer, module, loader)
        ):
            self._replace(trainer._active_loop, _EvaluationLoop, _FewerCallsEvaluation)

    def _is_plain(self, trainer: Trainer, module: LightningModule, loader: Any) -> bool:
        """Says whether batches come ready from our data module, and nothing is done with them on the way."""
        precision: Any = trainer.precision_plugin
        return (
            isinstance(module, self.base)
            and isinstance(loader, ArrayLoader)
            and isinstance(trainer.strategy, SingleDeviceStrategy)
            and type(precision) in (Precision, MixedPrecision)
            and getattr(precision, "scaler", None) is None
            and isinstance(trainer.profiler, PassThroughProfiler)  # type: ignore[attr-defined]
            and not _overrides(module, self.base, TRANSFER_HOOKS)
            and not _overrides(getattr(trainer, "datamodule", None), LightningDataModule, TRANSFER_HOOKS)
        )

    def _replace(self, loop: Any, before: type, after: type) -> None:
        kind: type = type(loop)
        if kind is before:
            loop.__class__, loop.seconds, loop.stop = after, self.seconds, time.perf_counter() + self.seconds


class _FewerCallsLoop(_TrainingEpochLoop):
    seconds: float

    def advance(self, data_fetcher: _DataFetcher) -> None:
        """Takes some steps alone, and one more with all that Lightning does."""
        if not self.restarting:
            self._take_steps(data_fetcher, self._until_something_happens(data_fetcher) - 1)
        super().advance(data_fetcher)

    def _until_something_happens(self, data_fetcher: _DataFetcher) -> int:
        """Returns the number of steps up to and with the next one that others see."""
        trainer, ready, step = self.trainer, self.batch_progress.current.ready, self.global_step
        batches = min(trainer.num_training_batches, data_fetcher.length or 0)
        distances = [batches - ready]
        if self.max_steps >= 0:
            distances.append(self.max_steps - step)
        validate_every = trainer.val_check_batch
        if isinstance(validate_every, int):
            per_epoch = trainer.check_val_every_n_epoch is not None
            done = ready if per_epoch else self.batch_progress.total.ready
            distances.append(validate_every - done % validate_every)
        callbacks = trainer.callbacks  # type: ignore[attr-defined]
        periods = [trainer.log_every_n_steps for c in callbacks if isinstance(c, LOGGING)]  # type: ignore[attr-defined]
        periods += [getattr(c, "_every_n_train_steps", 0) for c in trainer.checkpoint_callbacks]
        distances += [period - step % period for period in periods if period]
        return int(min(distances))

    def _take_steps(self, data_fetcher: _DataFetcher, steps: int) -> None:
        trainer, module, optimizer = self.trainer, self.trainer.lightning_module, self.trainer.optimizers[0]
        precision, optimization = trainer.precision_plugin, self.automatic_optimization.optim_progress.optimizer
        scheduled = any(config.interval == "step" for config in trainer.lr_scheduler_configs)
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        stop = time.perf_counter() + self.seconds
        for _ in range(steps):
            batch, _, _ = next(data_fetcher)
            self.batch_progress.is_last_batch = data_fetcher.done
            batch = precision.convert_input(batch)
            batch_idx = self.batch_idx + 1
            self.batch_progress.increment_ready()
            self.batch_progress.increment_started()

            def closure(batch: Any = batch, batch_idx: int = batch_idx) -> Any:
                with precision.train_step_context():
                    loss: Any = module.training_step(batch, batch_idx)
                for parameter in parameters:  # as zero_grad does, which takes 8 us more, a fiftieth of the MLP's step
                    parameter.grad = None
                loss.backward()
                return loss

            optimization.zero_grad.increment_ready()
            optimization.zero_grad.increment_started()
            optimization.step.increment_ready()
            optimizer.step(closure)
            optimization.zero_grad.increment_completed()
            optimization.step.increment_completed()
            self.batch_progress.increment_processed()
            if scheduled:
                self.update_lr_schedulers("step", update_plateau_schedulers=False)
            self.batch_progress.increment_completed()
            self._batches_that_stepped += 1
            if trainer.received_sigterm or time.perf_counter() > stop:
                break


class _FewerCallsEvaluation(_EvaluationLoop):
    seconds: float
    stop: float

    def _evaluation_step(self, batch: Any, batch_idx: int, dataloader_idx: int, dataloader_iter: Any) -> None:
        """Takes a batch alone, but for one every so many seconds."""
        if time.perf_counter() > self.stop:
            super()._evaluation_step(batch, batch_idx, dataloader_idx, dataloader_iter)
            self.stop = time.perf_counter() + self.seconds
            return
        precision, module = self.trainer.precision_plugin, self.trainer.lightning_module
        batch = precision.convert_input(batch)
        self.batch_progress.increment_ready()
        self.batch_progress.increment_started()
        with precision.forward_context():
            (module.test_step if self.trainer.testing else module.validation_step)(batch, batch_idx)
        self.batch_progress.increment_processed()
        self.batch_progress.increment_completed()
        if not self.trainer.sanity_checking:
            self._has_run = True
            self._seen_batches_per_dataloader[dataloader_idx] += 1
        if self.trainer.received_sigterm:
            raise SIGTERMException


def _end_epoch_once(loop: _FitLoop) -> None:
    """Has a training that goes on from an epoch's end begin the next one.

    With `max_steps`, Lightning 2.6 takes that epoch for unfinished, and ends it a second time.
    """
    if loop.restarted_on_epoch_end:
        loop.epoch_progress.increment_completed()
        loop.reset_restart_stage()
        loop.epoch_loop.reset_restart_stage()
        loop._restarting = False
        loop.epoch_loop.restarting = False


def _others(trainer: Any, kinds: Any) -> list[Callback]:
    return [callback for callback in trainer.callbacks if not isinstance(callback, kinds)]


def _overrides(this: Any, base: type, hooks: Sequence[str]) -> bool:
    return this is not None and any(getattr(type(this), hook) is not getattr(base, hook) for hook in hooks)

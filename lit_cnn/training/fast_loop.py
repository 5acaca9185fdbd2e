"""The fast loop: Lightning's training and evaluation loops, with the overhead once for many batches.

A small network's step takes less time than Lightning's calls around it: hooks, progress, results, transfers. Most of
them matter only when something happens: a validation, a checkpoint, the end of an epoch, a log or a redraw of the
progress bar. `FewerCalls` runs these batches through Lightning, and those between directly, with the same mathematics.
Before each group of batches it checks whether that is safe (loop_conditions.py).
"""

import math
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import DeviceStatsMonitor, LearningRateMonitor, ModelCheckpoint, Timer
from lightning.pytorch.loops.evaluation_loop import _EvaluationLoop
from lightning.pytorch.loops.fetchers import _DataFetcher
from lightning.pytorch.loops.fit_loop import _FitLoop
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.trainer import call
from lightning.pytorch.utilities.exceptions import SIGTERMException

from lit_cnn.training.loop_conditions import may_evaluate, may_train


class FewerCalls(Callback):
    """Callback that installs the fast loop: the same steps, results, logs and checkpoints, in less time.

    It runs only where it makes no difference: LitClassifier with our data modules, a single device, no gradient
    accumulation or clipping, no profiler, and no hook or callback that needs each batch. Otherwise Lightning's loops
    run.

    Args:
        base: The LightningModule whose hooks need no call at each batch. Subclasses that override them use
            Lightning's loops.
        seconds: Longest time without a call to Lightning, so that the log is written and the progress bar moves.
    """

    def __init__(self, base: type[LightningModule], seconds: float = 0.2):
        self.base = base
        self.seconds = seconds

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Installs the fast loop."""
        _end_epoch_once(trainer.fit_loop)
        self._replace(trainer.fit_loop.epoch_loop)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Installs the fast loop."""
        self._replace(trainer._active_loop)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Installs the fast loop."""
        self._replace(trainer._active_loop)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Restores Lightning's loops."""
        training = trainer.fit_loop.epoch_loop
        for loop in (training, training.val_loop, trainer.validate_loop, trainer.test_loop):
            loop.__class__ = next((kind for kind, fast in FAST.items() if type(loop) is fast), type(loop))

    def on_exception(self, trainer: Trainer, pl_module: Any, exception: BaseException) -> None:
        """Restores Lightning's loops, and logs the recorded steps, so that an interrupted run's log is complete."""
        self.teardown(trainer, pl_module, "")
        if isinstance(pl_module, self.base):
            pl_module.log_noted()  # type: ignore[operator]

    def _replace(self, loop: Any) -> None:
        kind: type = type(loop)
        loop.__class__ = FAST.get(kind, kind)
        loop.base, loop.seconds, loop.stop = self.base, self.seconds, -math.inf


class _FewerCallsLoop(_TrainingEpochLoop):
    base: type[LightningModule]
    seconds: float

    def advance(self, data_fetcher: _DataFetcher) -> None:
        """Takes some steps directly, and the next one through Lightning."""
        steps = 0 if self.restarting else self._until_something_happens(data_fetcher) - 1
        if steps < 1 or not may_train(self, self.base) or not self._take_steps(data_fetcher, steps):
            super().advance(data_fetcher)

    def _until_something_happens(self, data_fetcher: _DataFetcher) -> int:
        """Returns the number of steps up to and including the next one that needs Lightning."""
        trainer: Any = self.trainer
        ready, step, stepped = self.batch_progress.current.ready, self.global_step, self._batches_that_stepped
        distances = [min(trainer.num_training_batches, data_fetcher.length or 0) - ready]
        if self.max_steps >= 0:
            distances.append(self.max_steps - step)
        validate_every = trainer.val_check_batch
        if isinstance(validate_every, int):
            per_epoch = trainer.check_val_every_n_epoch is not None
            done = ready if per_epoch else self.batch_progress.total.ready
            distances.append(validate_every - done % validate_every)
        for callback in trainer.callbacks:
            if isinstance(callback, (LearningRateMonitor, DeviceStatsMonitor)) and (every := trainer.log_every_n_steps):
                distances.append(every - stepped % every)
            elif isinstance(callback, ModelCheckpoint) and (every := callback._every_n_train_steps):
                distances.append(every - step % every)
        return int(min(distances))

    def _alarm(self) -> float:
        """Returns the time, in `time.monotonic`, when a timer next needs a batch through Lightning."""
        trainer: Any = self.trainer
        now, alarms = time.monotonic(), [math.inf]
        if trainer._val_check_time_interval is not None:
            alarms.append(trainer._last_val_time + trainer._val_check_time_interval)
        for callback in trainer.callbacks:
            if isinstance(callback, Timer) and (left := callback.time_remaining()) is not None:
                alarms.append(now + left)
            elif isinstance(callback, ModelCheckpoint) and (interval := callback._train_time_interval) is not None:
                last = callback._last_time_checked
                alarms.append((now if last is None else last) + interval.total_seconds())
        return min(alarms)

    def _take_steps(self, data_fetcher: _DataFetcher, steps: int) -> bool:
        """Takes up to so many steps, and returns whether the last of them went through Lightning's hooks."""
        trainer: Any = self.trainer
        module, optimizer, precision = trainer.lightning_module, trainer.optimizers[0], trainer.precision_plugin
        optimization = self.automatic_optimization.optim_progress.optimizer
        scheduled = any(config.interval == "step" for config in trainer.lr_scheduler_configs)
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        alarm, stop = self._alarm(), time.monotonic() + self.seconds
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
                optimization.zero_grad.increment_ready()
                optimization.zero_grad.increment_started()
                for parameter in parameters:  # as zero_grad does, but 8 us faster, 2 % of the MLP's step
                    parameter.grad = None
                optimization.zero_grad.increment_completed()
                loss.backward()
                return loss

            optimization.step.increment_ready()
            loss = optimizer.step(closure)
            optimization.step.increment_completed()
            self.batch_progress.increment_processed()
            if scheduled:
                self.update_lr_schedulers("step", update_plateau_schedulers=False)
            now = time.monotonic()
            if now >= alarm or trainer.should_stop:
                self._show(loss, batch, batch_idx)
                return True
            self.batch_progress.increment_completed()
            self._batches_that_stepped += 1
            if trainer.received_sigterm or now > stop:
                break
        module.log_noted()  # a checkpoint at the next batch may monitor it
        return False

    def _show(self, loss: Any, batch: Any, batch_idx: int) -> None:
        """Calls Lightning's hooks for the end of a batch."""
        trainer: Any = self.trainer
        trainer._logger_connector.on_batch_start(batch)
        outputs = {"loss": loss.detach()}
        call._call_callback_hooks(trainer, "on_train_batch_end", outputs, batch, batch_idx)
        call._call_lightning_module_hook(trainer, "on_train_batch_end", outputs, batch, batch_idx)
        trainer._logger_connector.on_batch_end()
        self.batch_progress.increment_completed()
        trainer._logger_connector.update_train_step_metrics()


class _FewerCallsEvaluation(_EvaluationLoop):
    base: type[LightningModule]
    seconds: float
    stop: float

    def _evaluation_step(self, batch: Any, batch_idx: int, dataloader_idx: int, dataloader_iter: Any) -> None:
        """Takes a batch directly, except for the first, the last, and one every so many seconds."""
        if time.monotonic() >= self.stop or self.batch_progress.is_last_batch:
            super()._evaluation_step(batch, batch_idx, dataloader_idx, dataloader_iter)
            self.stop = time.monotonic() + self.seconds if may_evaluate(self, self.base) else -math.inf
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


FAST: dict[type, type] = {_TrainingEpochLoop: _FewerCallsLoop, _EvaluationLoop: _FewerCallsEvaluation}


def _end_epoch_once(loop: _FitLoop) -> None:
    """Starts the next epoch when a training resumes at the end of one.

    With `max_steps`, Lightning 2.6 takes that epoch as unfinished, and ends it a second time.
    """
    if loop.restarted_on_epoch_end:
        loop.epoch_progress.increment_completed()
        loop.reset_restart_stage()
        loop.epoch_loop.reset_restart_stage()
        loop._restarting = False
        loop.epoch_loop.restarting = False

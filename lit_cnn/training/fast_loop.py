"""The fast loop: Lightning's training and evaluation loops, with the overhead once for many batches.

A step of a small network takes less time than Lightning's calls around it: hooks, progress, results, transfers. Most of
these calls matter only at some batches: before a validation, a checkpoint, the end of an epoch, a log or a redraw of
the progress bar. These batches go through Lightning. The fast loop takes the other batches directly, with the same
mathematics. Before each group of batches, loop_conditions.py checks whether that is safe.
"""

import math
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import DeviceStatsMonitor, LearningRateMonitor, ModelCheckpoint, Timer
from lightning.pytorch.utilities.exceptions import SIGTERMException

from lit_cnn.training import lightning_internals as internals
from lit_cnn.training.loop_conditions import may_evaluate, may_train

SECONDS = 0.2  # longest time without a call to Lightning, so that the log is written and the progress bar moves


class FewerCalls(Callback):
    """Callback that installs the fast loop: the same steps, results, logs and checkpoints, in less time.

    It runs only where it makes no difference: LitClassifier with our data modules, a single device, no gradient
    accumulation or clipping, no profiler, and no hook or callback that needs each batch. Otherwise Lightning's loops
    run.

    Args:
        base: The LightningModule whose hooks need no call at each batch. Subclasses that override them use
            Lightning's loops.
    """

    def __init__(self, base: type[LightningModule]):
        self.base = base

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Installs the fast training loop."""
        internals.end_epoch_once(trainer)
        loop: Any = trainer.fit_loop.epoch_loop
        loop.advance = FastTraining(loop, self.base)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Installs the fast evaluation loop."""
        validation = trainer.fit_loop.epoch_loop.val_loop if trainer.state.fn == "fit" else trainer.validate_loop
        loop = trainer.test_loop if trainer.testing else validation
        internals.replace_evaluation_step(loop, FastEvaluation(loop, self.base))

    on_test_start = on_validation_start

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Restores Lightning's loops."""
        training = trainer.fit_loop.epoch_loop
        vars(training).pop("advance", None)
        for loop in (training.val_loop, trainer.validate_loop, trainer.test_loop):
            internals.replace_evaluation_step(loop, None)

    def on_exception(self, trainer: Trainer, pl_module: Any, exception: BaseException) -> None:
        """Restores Lightning's loops, and logs the recorded steps, so that an interrupted run's log is complete."""
        self.teardown(trainer, pl_module, "")
        if isinstance(pl_module, self.base):
            pl_module.step_losses.write(trainer)  # type: ignore[union-attr, operator]


class FastTraining:
    """Replaces the method `advance` of Lightning's loop over the batches of an epoch."""

    def __init__(self, loop: Any, base: type[LightningModule]):
        self.loop, self.base = loop, base

    def __call__(self, data_fetcher: Any) -> None:
        """Takes some steps directly, and the next one through Lightning."""
        loop = self.loop
        steps = 0 if loop.restarting else self._until_something_happens(data_fetcher) - 1
        if steps < 1 or not may_train(loop, self.base) or not self._take_steps(data_fetcher, steps):
            type(loop).advance(loop, data_fetcher)

    def _until_something_happens(self, data_fetcher: Any) -> int:
        """Returns the number of steps up to and including the next one that needs Lightning."""
        loop, trainer = self.loop, self.loop.trainer
        ready, step = loop.batch_progress.current.ready, loop.global_step
        distances = [min(trainer.num_training_batches, data_fetcher.length or 0) - ready]
        if loop.max_steps >= 0:
            distances.append(loop.max_steps - step)
        validate_every = trainer.val_check_batch
        if isinstance(validate_every, int):
            per_epoch = trainer.check_val_every_n_epoch is not None
            done = ready if per_epoch else loop.batch_progress.total.ready
            distances.append(validate_every - done % validate_every)
        for callback in trainer.callbacks:
            if isinstance(callback, (LearningRateMonitor, DeviceStatsMonitor)) and (every := trainer.log_every_n_steps):
                distances.append(every - internals.batches_that_stepped(loop) % every)
            elif isinstance(callback, ModelCheckpoint) and (every := internals.steps_between_checkpoints(callback)):
                distances.append(every - step % every)
        return int(min(distances))

    def _alarm(self) -> float:
        """Returns the time, in `time.monotonic`, when a timer next needs a batch through Lightning."""
        trainer, now = self.loop.trainer, time.monotonic()
        alarms = [internals.time_of_validation(trainer)]
        for callback in trainer.callbacks:
            if isinstance(callback, Timer) and (left := callback.time_remaining()) is not None:
                alarms.append(now + left)
            elif isinstance(callback, ModelCheckpoint):
                alarms.append(internals.time_of_checkpoint(callback, now))
        return min(alarms)

    def _take_steps(self, data_fetcher: Any, steps: int) -> bool:
        """Takes up to `steps` steps; returns whether the last one went through Lightning's hooks."""
        loop, trainer = self.loop, self.loop.trainer
        module, optimizer, precision = trainer.lightning_module, trainer.optimizers[0], trainer.precision_plugin
        progress, optimization = loop.batch_progress, loop.automatic_optimization.optim_progress.optimizer
        scheduled = any(config.interval == "step" for config in trainer.lr_scheduler_configs)
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        alarm, stop = self._alarm(), time.monotonic() + SECONDS
        for _ in range(steps):
            batch, _, _ = next(data_fetcher)
            progress.is_last_batch = data_fetcher.done
            batch = precision.convert_input(batch)
            batch_idx = loop.batch_idx + 1
            progress.increment_ready()
            progress.increment_started()

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
            progress.increment_processed()
            if scheduled:
                loop.update_lr_schedulers("step", update_plateau_schedulers=False)
            now = time.monotonic()
            if now >= alarm or trainer.should_stop:
                internals.end_training_batch(trainer, {"loss": loss.detach()}, batch, batch_idx)
                return True
            progress.increment_completed()
            internals.count_batch_that_stepped(loop)
            if trainer.received_sigterm or now > stop:
                break
        module.step_losses.write(trainer)  # a checkpoint at the next batch may monitor it
        return False


class FastEvaluation:
    """Replaces the step of Lightning's validation and test loops."""

    def __init__(self, loop: Any, base: type[LightningModule]):
        self.loop, self.base, self.stop = loop, base, -math.inf

    def __call__(self, batch: Any, batch_idx: int, dataloader_idx: int, dataloader_iter: Any) -> None:
        """Takes a batch directly, except the first, the last, and one batch every `SECONDS`."""
        loop, trainer, progress = self.loop, self.loop.trainer, self.loop.batch_progress
        if time.monotonic() >= self.stop or progress.is_last_batch:
            internals.evaluation_step(loop, batch, batch_idx, dataloader_idx, dataloader_iter)
            self.stop = time.monotonic() + SECONDS if may_evaluate(loop, self.base) else -math.inf
            return
        batch = trainer.precision_plugin.convert_input(batch)
        progress.increment_ready()
        progress.increment_started()
        module = trainer.lightning_module
        with trainer.precision_plugin.forward_context():
            (module.test_step if trainer.testing else module.validation_step)(batch, batch_idx)
        progress.increment_processed()
        progress.increment_completed()
        if not trainer.sanity_checking:
            internals.count_evaluated_batch(loop, dataloader_idx)
        if trainer.received_sigterm:
            raise SIGTERMException

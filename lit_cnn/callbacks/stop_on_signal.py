"""Ctrl-C and SIGTERM: save a checkpoint, and exit with the signal's exit code."""

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from lightning.pytorch import Callback, LightningModule, Trainer

from lit_cnn.errors import STOPPING
from lit_cnn.training.lightning_internals import more_than_a_batch_ends
from lit_cnn.training.loop_conditions import patient


@patient
class StopOnSignal(Callback):
    """Ends a run at the next batch after Ctrl-C or SIGTERM: saves a checkpoint, and exits with 130 or 143.

    A signal to one of several devices stops all. A second signal ends the run at once.

    Args:
        last: Path of the last checkpoint.
    """

    def __init__(self, last: Path):
        self.last = last
        self.received = self._saved_step = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Installs the signal handlers; Lightning removes them at its end."""
        if threading.current_thread() is threading.main_thread():
            for number in {signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGBREAK", signal.SIGTERM)}:
                signal.signal(number, self._note)

    on_sanity_check_start = on_validation_start = on_test_start = on_predict_start = on_train_start

    def _note(self, number: int, frame: Any) -> None:
        if self.received:
            raise SystemExit(128 + number)
        self.received = number
        with suppress(OSError):
            os.write(2, f"\n{STOPPING}\n".encode())  # the signal may have interrupted a print

    def _wanted(self, trainer: Trainer) -> bool:
        return trainer.strategy.reduce_boolean_decision(bool(self.received), all=False)

    def _exit(self) -> NoReturn:
        raise SystemExit(128 + (self.received or signal.SIGTERM))

    def _save(self, trainer: Trainer) -> None:
        if trainer.checkpoint_callbacks:
            trainer.save_checkpoint(self.last)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._saved_step = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves and exits, unless a validation or the epoch's end comes next, which a resume would skip."""
        if self._wanted(trainer) and not more_than_a_batch_ends(trainer):
            self._save(trainer)
            self._exit()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Exits if the last epoch's end has just been saved; else waits for the first batch."""
        if self._wanted(trainer) and (not trainer.checkpoint_callbacks or self._saved_step == trainer.global_step):
            self._exit()

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        """Exits; in a training it saves first, so that a resume starts with this validation."""
        if not self._wanted(trainer):
            return
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            progress = trainer.fit_loop.epoch_loop.val_loop.batch_progress
            # The state of a validation that was interrupted in its first batch.
            done = progress.current.completed
            for counts in (progress.total, progress.current):
                before = counts.completed - done
                counts.ready = counts.started = before + 1  # type: ignore[attr-defined]
                counts.processed = counts.completed = before  # type: ignore[attr-defined]
            progress.is_last_batch = False
            self._save(trainer)
        self._exit()

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        if self._wanted(trainer):
            self._exit()

    on_predict_batch_end = on_test_batch_end  # type: ignore[assignment]

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Exits if the signal came during the last batches; a training goes on."""
        if trainer.state.fn != "fit" and self._wanted(trainer):
            self._exit()

    on_validation_epoch_end = on_test_epoch_end

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Exits if the training ended before it could be stopped."""
        if self._wanted(trainer):
            self._exit()

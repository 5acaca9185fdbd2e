"""What a person sees while a run goes on."""

import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from tqdm.auto import tqdm

IN_NOTEBOOK = any(kind.__module__ == "tqdm.notebook" for kind in tqdm.__mro__)


class Progress(ProgressBar):
    """A bar for the batches, and a line for each epoch that stays.

    The bar is redrawn by the clock, ten times a second at the most, and left out where the output is no
    terminal; the lines are printed everywhere.
    """

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._bar: tqdm | None = None
        self._start = self._seconds = 0.0
        self._epoch_line: str | None = None

    def disable(self) -> None:
        """Turns bar and lines off; Lightning does on all devices but the first."""
        self._enabled = False

    def enable(self) -> None:
        """Turns bar and lines on."""
        self._enabled = True

    def _open(self, description: str, batches: float) -> None:
        if self._enabled:
            total = int(batches) if batches != float("inf") else None
            disable = False if IN_NOTEBOOK else None  # a notebook is no terminal, but shows bars; a pipe does not
            self._bar = tqdm(total=total, desc=description, unit=" batches", leave=False, disable=disable)
            self._start = time.perf_counter()

    def _advance(self, batch: Any, batch_idx: int, training: Any = None) -> None:
        """Moves the bar to a batch; those before it may have gone by unseen (loop.py)."""
        if self._bar is None:
            return
        redrawn = self._bar.update(batch_idx + 1 - self._bar.n)  # true when it was time to
        if redrawn and isinstance(batch, (list, tuple)):
            images = self._bar.n * len(batch[0])
            so_far = _so_far(training)
            self._bar.set_postfix_str(f"{so_far}{images / (time.perf_counter() - self._start):,.0f} images/s", False)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts a bar where the training goes on in the middle of an epoch, whose start Lightning does not call."""
        if trainer.fit_loop.restarted_mid_epoch:
            self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the epoch before, of which all metrics are known by now, and starts a bar."""
        self._print_epoch(trainer)
        of = f"/{trainer.max_epochs}" if (trainer.max_epochs or -1) > 0 else ""
        self._epoch_line = f"epoch {trainer.current_epoch + 1}{of}"
        self._open(self._epoch_line, trainer.num_training_batches)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Moves the bar, with what the epoch has come to so far."""
        self._advance(batch, batch_idx, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends the bar."""
        self._seconds = time.perf_counter() - self._start
        self._close()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the last epoch."""
        self._close()
        self._print_epoch(trainer)

    def _print_epoch(self, trainer: Trainer) -> None:
        if not self._enabled or self._epoch_line is None:
            return
        m = {name: float(value) for name, value in trainer.callback_metrics.items()}
        parts = [
            f"{stage} acc {m[f'{stage}/acc']:.2%} nll {m[f'{stage}/nll']:.4f}"
            for stage in ("train", "val")
            if f"{stage}/acc" in m
        ]
        print("  ".join([f"{self._epoch_line:12}", *parts, f"{self._seconds:.1f} s"]), flush=True)
        self._epoch_line = None

    def _start_evaluation(self, trainer: Trainer, verb: str, batches: list[int | float] | int | float) -> None:
        if not trainer.sanity_checking and trainer.state.fn != "fit":
            self._open(verb, sum(batches) if isinstance(batches, list) else batches)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts a bar where validation is all there is to do."""
        self._start_evaluation(trainer, "validate", trainer.num_val_batches)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts a bar."""
        self._start_evaluation(trainer, "test", trainer.num_test_batches)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts a bar."""
        self._start_evaluation(trainer, "predict", trainer.num_predict_batches)

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        """Moves the bar."""
        if trainer.state.fn != "fit":
            self._advance(batch, batch_idx)

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        """Moves the bar."""
        self._advance(batch, batch_idx)

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        """Moves the bar."""
        self._advance(batch, batch_idx)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends the bar."""
        if trainer.state.fn != "fit":
            self._close()

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends the bar."""
        self._close()

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends the bar."""
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Ends the bar, so that the message starts on a line of its own."""
        self._close()


def _so_far(module: Any) -> str:
    """Returns accuracy and NLL of this device's training images that are counted by now.

    From the counts alone: to compute a metric is something that all devices do together.
    """
    metrics = getattr(module, "metrics", {})
    if "train_metrics" not in metrics:
        return ""
    accuracy, nll = metrics["train_metrics"]["acc"], metrics["train_metrics"]["nll"]
    images = int(nll.images)
    return f"acc {int(accuracy.tp.sum()) / images:.1%} nll {float(nll.total) / images:.3f} " if images else ""

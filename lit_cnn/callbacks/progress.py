"""Progress bar, and a line for each epoch."""

import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from tqdm.auto import tqdm

from lit_cnn.training.buffered_metrics import BufferedMetrics
from lit_cnn.training.loop_conditions import patient

IN_NOTEBOOK = any(kind.__module__ == "tqdm.notebook" for kind in tqdm.__mro__)
LINES = 30.0  # minimum seconds between lines if there is no bar
VERBS = {"val": "validate", "test": "test", "predict": "predict"}
DELAY = 1.0  # seconds before the bar of a validation in `fit` appears; most validations are shorter
BAR = "{desc} {percentage:3.0f}%|{bar}| {remaining} left{postfix}"  # fits into 80 columns
ENDLESS = "{desc} {n_fmt} batches in {elapsed}{postfix}"  # where the number of batches is not known
WHY_LOWER = "(train: average while learning; val: at the epoch's end, so it can be higher)"


class Count:
    """Progress of batches: a bar in a terminal or notebook, elsewhere a line now and then.

    Args:
        name: Text of the bar.
        batches: Number of batches; may be infinite.
        first: Batches that are done already.
        delay: Seconds before the bar appears.
    """

    def __init__(self, name: str, batches: float, first: int = 0, delay: float = 0.0):
        total = int(batches) if batches != float("inf") else None
        disable = False if IN_NOTEBOOK else None  # notebooks show bars, pipes do not
        shown = {"desc": name, "bar_format": BAR if total else ENDLESS, "dynamic_ncols": True, "leave": False}
        self._bar = tqdm(total=total, initial=first, disable=disable, delay=delay, **shown)
        self._name, self._total, self._first, self._done = name, total, first, first
        self.start = self._last_line = time.perf_counter()

    def advance(self, done: int, batch: Any, module: Any, stage: str) -> None:
        """Moves to a batch, and shows the module's metrics of a stage; the fast loop calls it for some batches only."""
        new, self._done, now = done - self._done, done, time.perf_counter()
        due = now - self._last_line >= LINES if self._bar.disable else self._bar.update(new)
        if not due or not isinstance(batch, (list, tuple)):
            return
        taken, seconds = done - self._first, now - self.start
        figures = f"{_so_far(module, stage)}{taken * len(batch[0]) / seconds:,.0f} images/s"
        if not self._bar.disable:
            self._bar.set_postfix_str(figures, False)
            return
        self._last_line = now
        of, left = "", ""
        if self._total:
            of = f"/{self._total:,}"
            left = f"  {tqdm.format_interval(seconds / taken * (self._total - done))} left"
        print(f"{self._name}  batch {done:,}{of}  {figures}{left}", flush=True)

    def close(self) -> None:
        self._bar.close()


@patient
class Progress(ProgressBar):
    """Progress bar for the batches, and a lasting line for each epoch.

    The bar is redrawn at most ten times a second. Without a terminal, a line every half minute replaces it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._bars: dict[str, Count] = {}  # for training and for evaluation
        self._seconds = 0.0
        self._epoch_line: str | None = None
        self._validated = False  # whether the epoch has been validated

    def disable(self) -> None:
        """Turns bar and lines off; Lightning calls it on all devices but the first."""
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True

    def _close(self, *kinds: str) -> None:
        for kind in kinds:
            if bar := self._bars.pop(kind, None):
                bar.close()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts a bar after a mid-epoch resume, where Lightning calls no epoch start."""
        if trainer.fit_loop.restarted_mid_epoch:
            self._start_epoch(trainer, trainer.fit_loop.epoch_loop.batch_progress.current.ready)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the line of the last epoch, whose metrics are complete now, and starts a bar."""
        self._print_epoch(trainer)
        self._start_epoch(trainer)

    def _start_epoch(self, trainer: Trainer, first: int = 0) -> None:
        self._validated = False
        of = f"/{trainer.max_epochs}" if (trainer.max_epochs or -1) > 0 else ""
        self._epoch_line = f"epoch {trainer.current_epoch + 1}{of}"
        if self._enabled:
            self._bars["training"] = Count(self._epoch_line, trainer.num_training_batches, first)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if bar := self._bars.get("training"):
            bar.advance(batch_idx + 1, batch, pl_module, "train")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if bar := self._bars.get("training"):
            self._seconds = time.perf_counter() - bar.start
        self._close("evaluation", "training")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._close("evaluation", "training")
        self._print_epoch(trainer)

    def _print_epoch(self, trainer: Trainer) -> None:
        if not self._enabled or self._epoch_line is None:
            return
        m = {name: float(value) for name, value in trainer.callback_metrics.items()}
        parts = [
            f"{stage} acc {m[f'{stage}/acc']:.2%} nll {m[f'{stage}/nll']:.4f}"
            for stage in ("train", "val")
            if f"{stage}/acc" in m and (stage == "train" or self._validated)
        ]
        print("  ".join([f"{self._epoch_line:12}", *parts, f"{self._seconds:.1f} s"]), flush=True)
        if self._epoch_line.partition("/")[0] == "epoch 1" and len(parts) == 2 and m["train/acc"] < m["val/acc"]:
            print(WHY_LOWER, flush=True)
        self._epoch_line = None

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._enabled and not trainer.sanity_checking:
            stage = _stage(trainer)
            batches = sum(getattr(trainer, f"num_{stage}_batches"))
            delay = DELAY if trainer.state.fn == "fit" else 0.0
            self._bars["evaluation"] = Count(VERBS[stage], batches, delay=delay)

    on_test_start = on_predict_start = on_validation_start

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        if bar := self._bars.get("evaluation"):
            bar.advance(batch_idx + 1, batch, pl_module, _stage(trainer))

    on_test_batch_end = on_predict_batch_end = on_validation_batch_end  # type: ignore[assignment]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validated = True
        self._close("evaluation")

    on_test_end = on_predict_end = on_validation_end

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Ends the bar, so that the error message starts on a new line."""
        self._close("evaluation", "training")


def _stage(trainer: Trainer) -> str:
    return "test" if trainer.testing else "predict" if trainer.predicting else "val"


def _so_far(module: Any, stage: str) -> str:
    """Returns accuracy and NLL so far, from this device only: computing a metric would synchronise all devices."""
    metrics = getattr(module, "metrics", None)
    if not isinstance(metrics, BufferedMetrics) or stage == "predict":
        return ""
    metrics.catch_up(stage)
    of_stage: Any = metrics[f"{stage}_metrics"]
    accuracy, nll = of_stage["acc"], of_stage["nll"]
    images = int(nll.images)
    return f"acc {int(accuracy.tp.sum()) / images:.1%} nll {float(nll.total) / images:.3f} " if images else ""

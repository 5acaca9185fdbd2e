"""Results of a run: results.json, TensorBoard's hyperparameters tab, and a printed summary."""

import json
import platform
import time
from importlib.metadata import version
from math import nan
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, Timer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from lit_cnn import files
from lit_cnn.callbacks import log_everywhere, tensorboards
from lit_cnn.callbacks.checkpointing import validates
from lit_cnn.errors import counted
from lit_cnn.runs import checkpoint_io
from lit_cnn.runs.folder import RESULTS, SPLIT, read_results
from lit_cnn.training.lightning_internals import is_last_batch
from lit_cnn.version import __version__

PER_CLASS = "test/acc_of/"
UNBALANCED = 1.5  # from this ratio of the largest to the smallest class on, the summary has macro figures
HARDEST = 3  # hardest classes named in the summary
EARLY = ("max_time", "EarlyStopping")  # early ends that the summary mentions
METRICS = ("test/acc", "val/acc", "test/nll", "val/nll")  # accuracies first, in the hyperparameters tab


class Results(Callback):
    """Collects a run's metrics, and writes them to results.json, TensorBoard and trackers.

    Accuracies are from 0 to 1, NLL is in nats per image. Each accuracy comes with its counts: `test/correct` of
    `test_images` images, and the same for `val` and `train`. Training and validation metrics are those of the tested
    checkpoint, the best by its monitor, or of the last epoch.

    Args:
        folder: The run's folder.
        settings: Flat settings of the run, for TensorBoard's hyperparameters tab.
        seed: The run's seed.
        tested: Whether a test follows the training.
    """

    def __init__(self, folder: Path, settings: dict[str, Any], seed: int, tested: bool = True):
        self.folder = folder
        self.settings = settings
        self.values: dict[str, Any] = {
            "name": folder.parent.name,
            "seed": seed,
            "versions/python": platform.python_version(),
            **{f"versions/{package}": version(package) for package in ("torch", "lightning")},
            "versions/lit-cnn": __version__,
        }
        self.tested = tested
        self._epoch: int | None = None
        self._training: dict[int, dict[str, float]] = {}  # metrics by epoch
        self._validations: list[tuple[int, dict[str, float]]] = []  # each with its epoch
        self._start: float | None = None  # when the training began; the time before the first step is not counted
        self._seconds_before = 0.0
        self._trained = 0.0  # seconds until the end of the last epoch; the time of figures drawn later is not counted
        self._epoch_is_over = False

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Adds the metrics of the epochs so far, for a resume."""
        if self._epoch_is_over:
            self._end_epoch(trainer)
        validations = [[epoch, figures] for epoch, figures in self._validations]
        checkpoint["results"] = {"training": dict(self._training), "validations": validations}
        checkpoint["results"]["seconds"] = self._seconds()

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if "results" in checkpoint and trainer.state.fn == "fit":
            history = checkpoint["results"]
            self._training = dict(history["training"])
            self._validations = [(epoch, figures) for epoch, figures in history["validations"]]
            self._seconds_before = self._trained = history["seconds"]

    def _seconds(self) -> float:
        return self._seconds_before + (0.0 if self._start is None else time.perf_counter() - self._start)

    @rank_zero_only
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Writes split.csv, if the data module has drawn the parts (training, validation, test)."""
        table = getattr(trainer.datamodule, "split_table", lambda: None)()  # type: ignore[attr-defined]
        if table and stage == "fit" and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            # Names of files on Linux are bytes, which need not be UTF-8.
            files.write_text(self.folder / SPLIT, table, newline="", errors="surrogateescape")

    @rank_zero_only
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Adds the run's row to the hyperparameters tab."""
        self.values |= _class_sizes(trainer, "train")
        self.values["parameters"] = sum(p.numel() for p in pl_module.parameters())
        self.values["device"] = str(trainer.strategy.root_device)
        self.values["devices"] = trainer.world_size
        expected = {"val": validates(trainer), "test": self.tested}
        names = [name for name in METRICS if expected[name.partition("/")[0]]]
        for logger in tensorboards(trainer):
            settings = {**self.settings, "seed": self.values["seed"]}
            logger.log_hyperparams(settings, dict.fromkeys(names, nan), step=0)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Handles a mid-epoch resume, where Lightning calls no epoch start."""
        if trainer.fit_loop.restarted_mid_epoch:
            self._epoch = trainer.current_epoch
        self._log_rest(trainer)
        self._start = time.perf_counter()

    def _log_rest(self, trainer: Trainer) -> None:
        """Logs the metrics that a killed run did not log."""
        known = [k for logger in trainer.loggers if isinstance(k := getattr(logger, "known_epochs", None), set)]
        for epoch in self._training.keys() - known[0] if known else ():  # saved in the checkpoint, but not logged
            figures = {name: value for name, value in self._training[epoch].items() if isinstance(value, float)}
            log_everywhere(trainer, figures | {"epoch": epoch, "seconds": self._seconds_before})

    @rank_zero_only
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Records the last epoch, whose metrics are complete now."""
        self._end_epoch(trainer)
        self._epoch = trainer.current_epoch
        self._epoch_is_over = False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Marks the epoch's metrics as complete, and logs the training time."""
        self._epoch_is_over = True
        self._trained = self._seconds()
        log_everywhere(trainer, {"seconds": self._trained, "epoch": trainer.current_epoch})

    def _end_epoch(self, trainer: Trainer) -> None:
        if self._epoch is not None:
            self._training[self._epoch] = _metrics(trainer, "train")

    @rank_zero_only
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        figures = _metrics(trainer, "val")
        if trainer.state.fn == "validate":
            self.values |= figures
            self._write(trainer)
        elif not trainer.sanity_checking:
            self._validations.append((trainer.current_epoch, figures))

    @rank_zero_only
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the results before the test; also for a resumed run that had nothing left to train."""
        if self._epoch is None:
            self._log_rest(trainer)
            if (written := read_results(self.folder)).get("steps") == trainer.global_step:  # this resume took no step
                self.values = written
                return
        self._end_epoch(trainer)
        begun = [*self._training, *(epoch for epoch, _ in self._validations)]
        self.values |= {
            "epochs": max(trainer.current_epoch, *(epoch + 1 for epoch in begun), 0),
            "steps": trainer.global_step,
            "fit_seconds": round(self._trained, 2),
            "ended_by": _ended_by(trainer),
        }
        if begun:
            epoch, figures = self._tested_figures(trainer)
            self.values |= self._training.get(epoch, {}) | figures | {"epoch": epoch + 1}
            self._log_selected(trainer, figures)
        self._write(trainer)

    def _log_selected(self, trainer: Trainer, figures: dict[str, float]) -> None:
        """Logs the validation metrics of the selected epoch to trackers, which otherwise show those of the last."""
        selected = {f"selected/{name.replace('/', '_')}": figures[name] for name in METRICS if name in figures}
        for logger in trainer.loggers if selected else ():
            if not isinstance(logger, CSVLogger | TensorBoardLogger):  # `report` and the HParams tab have them
                logger.log_metrics(selected, step=trainer.global_step)

    def _tested_figures(self, trainer: Trainer) -> tuple[int, dict[str, float]]:
        """Returns epoch and validation metrics of the tested checkpoint, or of the last epoch if there is none."""
        callback: Any = trainer.checkpoint_callback
        path = Path(getattr(callback, "best_model_path", "") or self.folder)
        epoch, validations = max(self._training, default=-1), self._validations
        if path.is_file():
            saved = checkpoint_io.load(path)
            epoch, validations = saved["epoch"], saved.get("results", {}).get("validations", validations)
            if callback.monitor is not None:
                self.values["monitor"] = callback.monitor
        elif validations:
            epoch = max(epoch, validations[-1][0])
        return epoch, next((figures for e, figures in reversed(validations) if e == epoch), {})

    @rank_zero_only
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.values |= _metrics(trainer, "test") | getattr(pl_module, "by_class", {})
        self.values = _class_sizes(trainer, "test") | self.values  # not those of training, if known
        self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        files.write_text(self.folder / RESULTS, json.dumps(self.values, indent=2) + "\n")

    def summary(self) -> str:
        """Returns a summary in a few lines."""
        v, lines = self.values, []
        for split in ("train", "val", "test"):
            if f"{split}/acc" in v:
                images = f"  {counted(v[f'{split}_images'], 'image')}" if f"{split}_images" in v else ""
                lines.append(f"{split:5}  acc {v[f'{split}/acc']:.2%}  nll {v[f'{split}/nll']:.4f}{images}")
        if is_unbalanced(v) and "test/f1" in v:
            few, many = (v[f"class_images/{which}"] for which in ("smallest", "largest"))
            about = f"over the classes, which have {few:,} to {many:,} images"
            lines.append(f"macro  acc {v['test/acc_macro']:.2%}  F1 {v['test/f1']:.2%}  {about}")
        if "test/acc_views" in v:
            lines.append(f"views  acc {v['test/acc_views']:.2%}  nll {v['test/nll_views']:.4f}  of the test images")
        per_class = {name.removeprefix(PER_CLASS): acc for name, acc in v.items() if name.startswith(PER_CLASS)}
        if len(per_class) > HARDEST:
            hardest = sorted(per_class, key=lambda name: per_class[name])[:HARDEST]
            lines.append("hardest classes: " + ", ".join(f"{name} ({per_class[name]:.1%})" for name in hardest))
        if "fit_seconds" in v:
            best = f"; best epoch by {v['monitor']}: {v['epoch']}" if "monitor" in v else ""
            epochs = counted(v["epochs"], "epoch")
            end = f", ended by {v['ended_by']}" if v.get("ended_by") in EARLY else ""
            lines.append(f"time   {v['fit_seconds']:.1f} s for {epochs}{end}{best}")
        lines.append(f"run    {self.folder}")
        return "\n".join(lines)


def is_unbalanced(results: dict[str, Any]) -> bool:
    """Whether the numbers of images per class differ so much that the micro accuracy hides the small classes."""
    few, many = (results.get(f"class_images/{which}", 1) for which in ("smallest", "largest"))
    return many >= UNBALANCED * few


def _class_sizes(trainer: Trainer, split: str) -> dict[str, Any]:
    """Returns how many images the smallest and the largest class have."""
    data: Any = trainer.datamodule  # type: ignore[attr-defined]
    if not hasattr(data, "arrays"):
        return {}
    counts = data.arrays(split).labels.bincount(minlength=data.num_classes)
    return {"class_images/smallest": int(counts.min()), "class_images/largest": int(counts.max())}


def _metrics(trainer: Trainer, split: str) -> dict[str, float]:
    """Returns the metrics of a split, with the counts of its accuracy if the module has them."""
    prefix, logged = f"{split}/", trainer.callback_metrics.items()
    figures = {name: float(value) for name, value in logged if name.startswith(prefix) and name != "train/loss"}
    exact = getattr(trainer.lightning_module, "exact", {})
    figures = {name: exact.get(name, value) for name, value in figures.items()}
    counting: Any = getattr(trainer.lightning_module, "metrics", {})
    if f"{split}/acc" in figures and f"{split}_metrics" in counting:
        accuracy = counting[f"{split}_metrics"]["acc"]
        if accuracy.counted:  # exact, where the device has no float64 too
            figures[f"{split}/acc"] = accuracy.correct / accuracy.counted
        figures |= {f"{split}/correct": accuracy.correct, f"{split}_images": accuracy.counted}
    if f"{split}/acc_views" in figures:
        figures[f"{split}/correct_views"] = counting[f"{split}_views_metrics"]["acc"].correct
    return figures


def _ended_by(trainer: Trainer) -> str:
    """Returns what ended a training: max_epochs, max_steps, max_time, EarlyStopping or "a callback"."""
    if 0 <= trainer.max_steps <= trainer.global_step:
        return "max_steps"
    if trainer.current_epoch == trainer.max_epochs and is_last_batch(trainer):
        return "max_epochs"
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, Timer) and (left := callback.time_remaining()) is not None and left <= 0:
            return "max_time"
        if isinstance(callback, EarlyStopping) and callback.wait_count >= callback.patience:
            return "EarlyStopping"
    return "a callback" if trainer.should_stop else "max_epochs"

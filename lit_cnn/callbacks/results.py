"""What a run came to: results.json, TensorBoard's hyperparameters tab, and a short summary."""

import json
import os
import platform
import time
from importlib.metadata import version
from math import nan
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

METRICS = ("val/acc", "val/nll", "test/acc", "test/nll")


class Results(Callback):
    """Collects a run's figures and writes them where people look for them.

    Accuracies are shares from 0 to 1, NLL is in nats per image. The figures of training and validation are those
    of the epoch whose checkpoint is the best by `val/acc`, which is also the one that is tested.

    Args:
        folder: The run's folder.
        settings: Flat settings of the run, for TensorBoard's hyperparameters tab.
        seed: The run's seed.
    """

    def __init__(self, folder: Path, settings: dict[str, Any], seed: int):
        self.folder = folder
        self.settings = settings
        self.values: dict[str, Any] = {
            "name": folder.parent.name,
            "seed": seed,
            "versions/python": platform.python_version(),
            **{f"versions/{package}": version(package) for package in ("torch", "lightning", "lit-cnn")},
        }
        self._by_epoch: dict[int, dict[str, float]] = {}
        self._start = time.perf_counter()

    @rank_zero_only
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Opens the run's row in the hyperparameters tab."""
        self._start = time.perf_counter()
        self.values["parameters"] = sum(p.numel() for p in pl_module.parameters())
        self.values["device"] = str(trainer.strategy.root_device)
        self.values["devices"] = trainer.world_size
        for split in ("train", "val"):
            self._note_images(trainer, split)
        for logger in _tensorboards(trainer):
            settings = {**self.settings, "seed": self.values["seed"]}
            logger.log_hyperparams(settings, {_hp(name): nan for name in METRICS}, step=0)

    @rank_zero_only
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes the epoch before, of which all metrics are known by now."""
        if trainer.current_epoch:
            self._note_epoch(trainer, trainer.current_epoch - 1)

    @rank_zero_only
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes what is known before the test."""
        epochs = trainer.current_epoch
        self._note_epoch(trainer, max(epochs - 1, 0))
        seconds = time.perf_counter() - self._start
        best = _best_epoch(trainer, self._by_epoch)
        self.values |= self._by_epoch[best]
        self.values |= {
            "epoch": best + 1,
            "epochs": epochs,
            "steps": trainer.global_step,
            "fit_seconds": round(seconds, 2),
        }
        self._write(trainer)

    @rank_zero_only
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Adds the test's figures."""
        self._note_evaluation(trainer, "test")

    @rank_zero_only
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Adds the validation's figures where validation is all there is to do."""
        if trainer.state.fn == "validate":
            self._note_evaluation(trainer, "val")

    def _note_evaluation(self, trainer: Trainer, split: str) -> None:
        self.values |= _metrics(trainer)
        self._note_images(trainer, split)
        self._write(trainer)

    def _note_images(self, trainer: Trainer, split: str) -> None:
        data: Any = getattr(trainer, "datamodule", None)
        if hasattr(data, "arrays"):
            self.values[f"{split}_images"] = len(data.arrays(split))

    def _note_epoch(self, trainer: Trainer, epoch: int) -> None:
        self._by_epoch[epoch] = _metrics(trainer)

    def _write(self, trainer: Trainer) -> None:
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        for logger in _tensorboards(trainer):
            final = {_hp(name): self.values[name] for name in METRICS if name in self.values}
            logger.log_metrics(final, step=trainer.global_step)
        target = self.folder / "results.json"
        partial = target.with_suffix(".json.partial")
        partial.write_text(json.dumps(self.values, indent=2) + "\n")
        os.replace(partial, target)

    def summary(self) -> str:
        """Returns what a person wants to know at the end, in a few lines."""
        v = self.values
        lines = []
        for split in ("train", "val", "test"):
            if f"{split}/acc" in v:
                images = f"  {v[f'{split}_images']:,} images" if f"{split}_images" in v else ""
                lines.append(f"{split:5}  acc {v[f'{split}/acc']:.2%}  nll {v[f'{split}/nll']:.4f}{images}")
        if "fit_seconds" in v:
            lines.append(
                f"time   {v['fit_seconds']:.1f} s for {v['epochs']} epochs; the best by val/acc is {v['epoch']}"
            )
        lines.append(f"run    {self.folder}")
        return "\n".join(lines)


def _hp(name: str) -> str:
    return f"hp/{name.replace('/', '_')}"


def _tensorboards(trainer: Trainer) -> list[TensorBoardLogger]:
    return [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]


def _metrics(trainer: Trainer) -> dict[str, float]:
    names = ("train/", "val/", "test/")
    return {
        name: float(value)
        for name, value in trainer.callback_metrics.items()
        if name.startswith(names) and name != "train/loss"
    }


def _best_epoch(trainer: Trainer, by_epoch: dict[int, dict[str, float]]) -> int:
    """Returns the epoch of the best checkpoint: the first with the best value of what it monitors."""
    last = max(by_epoch)
    for callback in trainer.checkpoint_callbacks:
        monitor = getattr(callback, "monitor", None)
        if isinstance(callback, ModelCheckpoint) and monitor in by_epoch[last]:
            sign = 1 if callback.mode == "max" else -1
            return max(by_epoch, key=lambda epoch: (sign * by_epoch[epoch][monitor], -epoch))
    return last

"""The user's callbacks: which ones need companions, and which are refused because they cannot work here."""

from typing import Any

from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import (
    BackboneFinetuning,
    BaseFinetuning,
    BasePredictionWriter,
    BatchSizeFinder,
    Checkpoint,
    DeviceStatsMonitor,
    GradientAccumulationScheduler,
    LearningRateFinder,
    LearningRateMonitor,
    OnExceptionCheckpoint,
    ProgressBar,
    SpikeDetection,
    ThroughputMonitor,
    WeightAveraging,
)

from lit_cnn.callbacks.averaging import Averages
from lit_cnn.callbacks.finetuning import Thaw, refuse_unfit
from lit_cnn.callbacks.progress import Progress
from lit_cnn.errors import ConfigError

BASES = (Callback, BaseFinetuning, BasePredictionWriter, Checkpoint, ProgressBar)  # base classes, which do nothing
LOGGING = (DeviceStatsMonitor, LearningRateMonitor, ThroughputMonitor)


def given(settings: dict[str, Any]) -> list[Callback]:
    """Returns the callbacks in a Trainer's settings as a list: none, one or several."""
    callbacks = settings["callbacks"] or []
    return list(callbacks) if isinstance(callbacks, list) else [callbacks]


def companions(settings: dict[str, Any], module: LightningModule) -> list[Callback]:
    """Returns the callbacks to add to those in a Trainer's settings: progress, and fixes that some of them need.

    Raises:
        ConfigError: For a callback that cannot work.
    """
    named = given(settings)
    for callback in named:
        _refuse(callback, module)
        _refuse_beside(callback, settings)
    beside: list[Callback] = []
    if settings["enable_progress_bar"] is not False and not any(isinstance(c, ProgressBar) for c in named):
        beside.append(Progress())
    if any(isinstance(c, WeightAveraging) for c in named):
        beside.append(Averages())
    if any(isinstance(c, BackboneFinetuning) for c in named):
        beside.append(Thaw())
    return beside


def refuse_doubles(settings: dict[str, Any], others: list[Callback]) -> None:
    """Refuses callbacks with equal state keys, which a checkpoint cannot tell apart.

    Raises:
        ConfigError: If there are any.
    """
    seen: dict[str, Callback] = {}
    for callback in [*others, *given(settings)]:
        if callback.state_key in seen and type(callback).state_dict is not Callback.state_dict:
            name = type(callback).__name__
            ours = "\nSet that of every run by --checkpoint.*, or give yours a `monitor`." if "Model" in name else ""
            raise ConfigError(f"trainer.callbacks: a second {name} with the same settings. Remove one of them.{ours}")
        seen[callback.state_key] = callback


def _refuse_beside(callback: Callback, settings: dict[str, Any]) -> None:
    """Refuses a callback that conflicts with another setting of the Trainer."""
    name = type(callback).__name__
    if isinstance(callback, LOGGING) and settings["logger"] in (False, []):
        raise ConfigError(f"trainer.callbacks: {name} writes to the loggers, but trainer.logger is false. Remove one.")
    accumulated = settings["accumulate_grad_batches"]
    if isinstance(callback, GradientAccumulationScheduler) and accumulated not in (None, 1):
        raise ConfigError(
            f"trainer.callbacks: {name} sets what trainer.accumulate_grad_batches ({accumulated}) sets. Remove one."
        )


def _refuse(callback: Callback, module: LightningModule) -> None:
    name = type(callback).__name__
    if type(callback) in BASES:
        raise ConfigError(f"trainer.callbacks: {name} does nothing of itself; it is a class to derive from. Remove it.")
    if type(callback) is SpikeDetection:  # its state_dict reads a missing attribute
        raise ConfigError(
            "trainer.callbacks: SpikeDetection of this Lightning fails at the first checkpoint. Remove it;\n"
            "a run whose loss is not finite is stopped without it, and --trainer.gradient_clip_val tames spikes."
        )
    if isinstance(callback, OnExceptionCheckpoint):
        raise ConfigError(
            f"trainer.callbacks: {name} has Lightning go on from its file in the next run, without a word. Remove it;\n"
            "a run that breaks off goes on from its last checkpoint: --checkpoint_every 5min, then --resume RUN."
        )
    if isinstance(callback, LearningRateFinder):
        raise ConfigError(
            f"trainer.callbacks: {name} would train with another learning rate than the config says. Remove it, and\n"
            "compare rates: `python -m lit_cnn search FILE`, where FILE has `axes: {model.lr: [0.001, 0.003, 0.01]}`."
        )
    if isinstance(callback, BatchSizeFinder):
        raise ConfigError(
            f"trainer.callbacks: {name} would train with another batch size than the config says. Remove it;\n"
            "`python -m lit_cnn check` says how much memory the run takes. Set --data.batch_size by that."
        )
    if isinstance(callback, BackboneFinetuning):
        refuse_unfit(callback, module)

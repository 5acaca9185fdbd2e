"""The user's callbacks: which ones need companions, and which are refused because they cannot work here."""

from typing import Any

from lightning.pytorch import Callback, LightningModule
from lightning.pytorch import callbacks as theirs

from lit_cnn.callbacks.averaging import Averages
from lit_cnn.callbacks.finetuning import Thaw, refuse_unfit
from lit_cnn.callbacks.progress import Progress
from lit_cnn.errors import ConfigError

# Base classes, which do nothing by themselves.
BASES = (Callback, theirs.BaseFinetuning, theirs.BasePredictionWriter, theirs.Checkpoint, theirs.ProgressBar)
REFUSED: dict[type[Callback], str] = {
    theirs.OnExceptionCheckpoint: (
        "would silently resume the next run from its file. Remove it;\n"
        "to resume a run, use --checkpoint_every 5min, then --resume RUN."
    ),
    theirs.LearningRateFinder: (
        "would change the learning rate of the config. Remove it;\n"
        "`python -m lit_cnn check ... --lr_find` suggests one for --model.lr, and `search` compares several."
    ),
    theirs.BatchSizeFinder: (
        "would change the batch size of the config. Remove it;\n"
        "`python -m lit_cnn check` shows the memory of the run; choose --data.batch_size with it."
    ),
}


def given(settings: dict[str, Any]) -> list[Callback]:
    """Returns the callbacks in a Trainer's settings as a list; the setting may be None, one callback or several."""
    callbacks = settings["callbacks"] or []
    return list(callbacks) if isinstance(callbacks, list) else [callbacks]


def companions(settings: dict[str, Any], module: LightningModule) -> list[Callback]:
    """Returns the callbacks to add to those in a Trainer's settings: progress, and fixes that some of them need.

    Raises:
        ConfigError: For a callback that cannot work.
    """
    named = given(settings)
    for callback in named:
        _refuse(callback, module, settings)
    beside: list[Callback] = []
    if settings["enable_progress_bar"] is not False and not any(isinstance(c, theirs.ProgressBar) for c in named):
        beside.append(Progress())
    if any(isinstance(c, theirs.WeightAveraging) for c in named):
        beside.append(Averages())
    if any(isinstance(c, theirs.BackboneFinetuning) for c in named):
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
            ours = (
                "\nSet the checkpoint of every run with --checkpoint.*, or give yours a `monitor`."
                if "Model" in name
                else ""
            )
            raise ConfigError(f"trainer.callbacks: a second {name} with the same settings. Remove one of them.{ours}")
        seen[callback.state_key] = callback


def _refuse(callback: Callback, module: LightningModule, settings: dict[str, Any]) -> None:
    name = type(callback).__name__
    for kind, remedy in REFUSED.items():
        if isinstance(callback, kind):
            raise ConfigError(f"trainer.callbacks: {name} {remedy}")
    if type(callback) in BASES:
        raise ConfigError(f"trainer.callbacks: {name} does nothing; it is only a base class. Remove it.")
    if type(callback) is theirs.SpikeDetection:  # its state_dict reads a missing attribute
        raise ConfigError(
            "trainer.callbacks: SpikeDetection of this Lightning fails at the first checkpoint. Remove it;\n"
            "a run whose loss is not finite is stopped without it, and --trainer.gradient_clip_val tames spikes."
        )
    if isinstance(callback, theirs.BackboneFinetuning):
        refuse_unfit(callback, module)
    accumulated = settings["accumulate_grad_batches"]
    if isinstance(callback, theirs.GradientAccumulationScheduler) and accumulated not in (None, 1):
        raise ConfigError(
            f"trainer.callbacks: {name} and trainer.accumulate_grad_batches ({accumulated}) do the same. Remove one."
        )

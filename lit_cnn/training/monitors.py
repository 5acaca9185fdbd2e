"""Monitors of checkpoints, early stopping and schedules: which metrics a run logs, and whether min or max is better.

A monitor that is never logged is refused before the first step, and the mode is set by the metric.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lit_cnn.errors import ConfigError, nearest

DEFAULT = "val/acc"  # monitor of the best checkpoint
PLATEAU = "val/nll"  # monitor of ReduceLROnPlateau
MODES = {
    "acc": "max",
    "accuracy": "max",
    "nll": "min",
    "loss": "min",
    "ece": "min",
    "error": "min",
    "macro": "max",
    "f1": "max",
}
MEANT = {"acc": ("acc", "accuracy", "top1"), "nll": ("nll", "loss", "entropy"), "ece": ("ece", "calibration")}
STEPS = ("epoch", "step")  # ModelCheckpoint accepts these too
OURS, LIGHTNING = "lit_cnn.", "lightning.pytorch."


@dataclass
class Place:
    """One setting that names a metric."""

    key: str
    arguments: Any  # the arguments beside it, including `monitor` and `mode`
    modes: set[str]  # modes that the user gave for it
    at_epoch_end: str = ""  # argument that makes it check at the end of the training epoch


def mode_of(metric: str) -> str | None:
    """Returns the better direction, "max" or "min"; None if the metric's name does not tell."""
    return MODES.get(re.split(r"[^a-z0-9]+", metric.lower())[-1])


def settle(config: Any, given: list[Any]) -> None:
    """Sets the mode of each monitor by its metric, and refuses metrics that are never logged.

    Args:
        config: The settings of `fit`, changed in place.
        given: Those that the user gave (`command_line.given_settings`).

    Raises:
        ConfigError: If a metric is never logged, or a given mode would keep the worst.
    """
    best, why_not = config.checkpoint, _no_validation(config)
    typed = [s for s in given if s.key == "checkpoint.monitor" and s.origin == "command line"]
    if why_not and best.monitor == DEFAULT and not typed:
        best.monitor = None
    logged = _logged(config)
    for place in _places(config, given):
        metric = place.arguments["monitor"]
        if metric is None:
            continue
        if logged is not None and metric not in logged and not (place.at_epoch_end[:4] == "save" and metric in STEPS):
            raise ConfigError(f"{place.key}: {metric} is never logged{_remedy(metric, logged, why_not)}")
        _settle_mode(place, metric)
        _settle_time(place, metric, config.trainer.check_val_every_n_epoch)


def _settle_mode(place: Place, metric: str) -> None:
    better = mode_of(metric)
    given = str(place.arguments.get("mode")) in place.modes
    key = place.key.replace("monitor", "mode")
    if better is None and not given:
        raise ConfigError(
            f"{place.key}: {metric} may be better when higher or when lower; its name does not tell.\n"
            f"Set {key} to max if higher is better, or to min if lower is better."
        )
    if better and given and place.arguments["mode"] != better:
        raise ConfigError(
            f"{key}: {place.arguments['mode']} would choose the worst {metric}.\nRemove it, or set it to {better}."
        )
    if better:
        place.arguments["mode"] = better


def _settle_time(place: Place, metric: str, validate_every: int | None) -> None:
    """Checks training metrics at the end of the training epoch, and refuses to check them at other times."""
    name, key = place.at_epoch_end, place.key.replace("monitor", place.at_epoch_end)
    if metric.startswith("train/") and name:
        if place.arguments.get(name) is False:
            raise ConfigError(f"{key}: false, but {metric} is only known at the end of the epoch. Remove it.")
        place.arguments[name] = True
    elif metric.startswith("val/") and validate_every != 1:
        if not name and validate_every is None:
            raise ConfigError(
                f"{place.key}: {metric} is not known in each epoch with trainer.check_val_every_n_epoch null.\n"
                "Set that to a number of epochs, or model.scheduler_args.monitor to train/nll."
            )
        if name and place.arguments.get(name):
            raise ConfigError(
                f"{key}: true, but trainer.check_val_every_n_epoch is {validate_every}, so {metric} is not known at "
                "the end of each epoch. Remove it."
            )


def _places(config: Any, given: list[Any]) -> Iterator[Place]:
    checkpoint = _modes_given(given, "checkpoint")
    yield Place("checkpoint.monitor", config.checkpoint, checkpoint, "save_on_train_epoch_end")
    for callback in config.trainer.callbacks or []:
        kind = callback.class_path.rpartition(".")[2]
        when = {"EarlyStopping": "check_on_train_epoch_end", "ModelCheckpoint": "save_on_train_epoch_end"}.get(kind)
        if when and callback.class_path.startswith(LIGHTNING):
            modes = _modes_given(given, "trainer.callbacks")
            yield Place(f"trainer.callbacks, {kind}.monitor", callback.init_args, modes, when)
    model = config.model.init_args
    if model.get("scheduler") == "ReduceLROnPlateau":
        arguments = {"monitor": PLATEAU} | (model.scheduler_args or {})
        modes = {str(arguments["mode"])} if "mode" in arguments else set()
        yield Place("model.scheduler_args.monitor", arguments, modes)


def _modes_given(given: list[Any], branch: str) -> set[str]:
    """Returns the modes given with or after a monitor; an earlier one was for another monitor."""
    monitors = [i for i, setting in enumerate(given) if setting.key == f"{branch}.monitor"]
    last = monitors[-1] if monitors else -1
    origin = given[last].origin if monitors else None
    modes = [(i, s) for i, s in enumerate(given) if s.key == f"{branch}.mode"]
    return {str(setting.value) for i, setting in modes if i > last or setting.origin == origin}


def _no_validation(config: Any) -> str:
    """Returns the setting that turns off validation, or nothing if there is validation."""
    if config.trainer.limit_val_batches == 0:
        return "trainer.limit_val_batches is 0"
    return "data.val_size is 0" if config.data.init_args.get("val_size") == 0 else ""


def _logged(config: Any) -> list[str] | None:
    """Returns the metrics known at the end of an epoch; None if foreign classes may log more."""
    callbacks = config.trainer.callbacks or []
    if not config.model.class_path.startswith(OURS):
        return None
    if not all(callback.class_path.startswith((OURS, LIGHTNING)) for callback in callbacks):
        return None
    names = ["train/acc", "train/nll"]
    if _no_validation(config):
        return names
    calibration = config.evaluation.enabled and config.pictures.enabled and config.trainer.logger is not False
    return [*names, "val/f1", "val/acc_macro", "val/acc", "val/nll", *(["val/ece"] if calibration else [])]


def _remedy(metric: str, logged: list[str], why_not: str) -> str:
    """Returns why a metric is not logged, and what to use instead."""
    words = set(re.split(r"[^a-z0-9]+", metric.lower()))
    if metric.startswith("test/"):
        return f" before training ends: the test images must not choose anything.\nUse {logged[-2]}."
    if metric.startswith("val/") and why_not:
        return f": {why_not}.\nSet it above 0, or use train/nll."
    if metric == "val/ece":
        return " without evaluation.enabled, pictures.enabled and TensorBoard.\nTurn them on, or use val/nll."
    if metric in ("train/loss", "lr"):
        return " for epochs, but of single steps.\nUse train/nll, which is the mean over the epoch."
    stage = "train" if metric.lower().startswith("train") else "val"
    meant = [f"{stage}/{figure}" for figure, others in MEANT.items() if words & set(others)]
    hint = f" Did you mean {meant[0]!r}?" if meant and meant[0] in logged else nearest(metric, logged)
    return f".{hint}\nThis run logs {', '.join(logged)}."

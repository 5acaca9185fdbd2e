"""Resuming an interrupted run: in its folder, from its newest checkpoint, with its settings."""

import csv
import math
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Timer
from lightning.pytorch.loggers import Logger

from lit_cnn.callbacks.tensorboard.board import Board, EpochBoard
from lit_cnn.cli.command_line import RESUME
from lit_cnn.cli.safe_yaml import text_of
from lit_cnn.errors import CheckpointError, ConfigError, counted
from lit_cnn.runs import checkpoint_io
from lit_cnn.runs.class_paths import at_home, with_defaults
from lit_cnn.runs.folder import read_mapping, read_results
from lit_cnn.runs.settings import DECISIVE, LENGTH, decisive_of_steps
from lit_cnn.training.lightning_internals import UTF8CSVLogger

LIMITS_OF_LENGTH = {"max_epochs": "N", "max_steps": "N", "max_time": "LONGER"}  # with a placeholder for the value
_KEPT = "OneCycleLR cannot train longer than it was set to at the start."
ONCE_AN_EPOCH = ("train/acc", "seconds")  # columns of metrics.csv written at the end of an epoch


def newest_checkpoint(run: Path) -> tuple[Path, list[str]]:
    """Returns the valid checkpoint of a run with the most steps, and the errors of broken ones."""
    newest, broken = checkpoint_io.newest_valid(run / "checkpoints", "class_path")
    if newest is None:
        raise CheckpointError(
            "\n".join([*broken[-2:], f"There is no checkpoint in {run} to resume from. Start a new run."])
        )
    return newest, broken


def refuse_finished(run: Path, config: Any) -> None:
    """Refuses to resume a finished run."""
    results, before = read_results(run), read_mapping(run / "config.yaml", yaml.safe_load).get("trainer")
    if before is None or not ("test/acc" in results or (not config.test_after_fit and "epochs" in results)):
        return
    by, now = results.get("ended_by"), config.trainer
    ends = [by] if by in LIMITS_OF_LENGTH else list(LIMITS_OF_LENGTH)  # else e.g. by EarlyStopping
    if any(_length(now, name) > _length(before, name) for name in ends):
        return
    was = f", ended by its max_time of {before.get('max_time')}" if by == "max_time" else ""
    longer = f"--trainer.{ends[0]} {LIMITS_OF_LENGTH[ends[0]]}"
    scheduler, arguments = (config.model.init_args.get(name) for name in ("scheduler", "scheduler_args"))
    if ends[0] in LENGTH and _keeps_its_length(scheduler, arguments):
        remedy = f"{_KEPT} Start a new run: --config {run / 'config.yaml'} {longer}."
    else:
        allowed = " --allow_changes true" if ends[0] in LENGTH and scheduler else ""
        remedy = f"To train it longer: {RESUME} {run} {longer}{allowed}."
    length = f"{counted(results['epochs'], 'epoch')}, {counted(results['steps'], 'step')}"
    raise ConfigError(f"The run {run} is finished: {length}{was}.\n{remedy}")


def _length(trainer: Any, name: str) -> float:
    """Returns a limit of the length of a training; infinity if there is none."""
    limit = trainer.get(name)
    if name == "max_time":
        seconds = Timer(duration=limit).time_remaining()
        return math.inf if seconds is None else seconds
    if limit is None and name == "max_epochs":
        return 1000  # Lightning's default without any other limit
    return math.inf if limit in (None, -1) else limit


def _keeps_its_length(scheduler: str | None, arguments: dict[str, Any] | None) -> bool:
    """Whether a learning-rate schedule has a fixed length, the initial length of the run."""
    return scheduler == "OneCycleLR" and not {"total_steps", "epochs"} & (arguments or {}).keys()


def epochs_of(checkpoint: dict[str, Any]) -> int:
    """Returns the number of finished epochs in a checkpoint."""
    progress = checkpoint.get("loops", {}).get("fit_loop", {}).get("epoch_progress", {})
    return int(progress.get("current", {}).get("processed", checkpoint["epoch"]))


def go_on_with_settings(config: Any, checkpoint: dict[str, Any]) -> None:
    """Uses the checkpoint's number of threads unless one is given; refuses other changes without `allow_changes`."""
    if config.threads is None:
        config.threads = checkpoint.get(RunSettings.KEY, {}).get("threads")
    if not config.allow_changes:
        refuse_changes(config.ckpt_path, checkpoint, decisive_of_steps(config.as_dict()))


def refuse_changes(path: str | Path, checkpoint: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuses to resume from a checkpoint if the settings in it differ from those of the command line."""
    before = checkpoint.get(RunSettings.KEY, now)
    missing = "nothing"
    today = with_defaults(at_home(now))
    gained = {key: today[key] for key in DECISIVE if key in today}  # not in checkpoints of earlier versions
    then = gained | with_defaults(at_home(before))
    changed = [key for key in before | now if then.get(key, missing) != today.get(key, missing)]
    if changed:
        each = [
            f"{key} was {text_of(before.get(key, missing))}, now {text_of(now.get(key, missing))}" for key in changed
        ]
        more = f"; and {len(each) - 3} more" if len(each) > 3 else ""
        remedy = "Use the old settings, or allow the new ones with --allow_changes true."
        longer = any(_length(now, name) > _length(before, name) for name in (f"trainer.{name}" for name in LENGTH))
        if longer and _keeps_its_length(now.get("model.scheduler"), now.get("model.scheduler_args")):
            remedy = f"{_KEPT} Use the old settings, or start a new run."
        elif any(key.startswith(("data.permute", "data.views")) for key in changed):
            remedy = "A checkpoint keeps its permutation and views. Use the old settings, or start a new run."
        raise CheckpointError(f"{path} was trained with other settings: {'; '.join(each[:3])}{more}.\n{remedy}")


class RunSettings(Callback):
    """Saves the settings of a run (`decisive_of_steps`) in its checkpoints, so that a resume can detect changes."""

    KEY = "settings"

    def __init__(self, config: Any):
        self.config = config

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Reads the settings, which no longer change."""
        self.settings = decisive_of_steps(self.config.as_dict())

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Adds the settings."""
        checkpoint[self.KEY] = self.settings


class ContinuedCSVLogger(UTF8CSVLogger):
    """CSV logger that continues the metrics.csv of a resumed run, which Lightning's would delete.

    Rows from `step` on are dropped, and those from the end of epochs after the first `epochs`. The epochs with training
    metrics in the file, counted from 0, are `known_epochs`.
    """

    def __init__(self, folder: Path, step: int, epochs: int):
        super().__init__(folder, name="", version="")
        path = folder / "metrics.csv"
        rows = csv.DictReader(path.read_text("utf-8").splitlines()) if path.is_file() else ()
        self._before = [
            {key: value for key, value in row.items() if key and value}
            for row in rows
            if (row.get("step") or "").isdigit()
            and int(row["step"]) < step
            and (int(row["epoch"] or 0) < epochs or not any(row.get(name) for name in ONCE_AN_EPOCH))
        ]
        self.known_epochs = {int(row["epoch"]) for row in self._before if "train/acc" in row}

    @property
    def experiment(self) -> Any:
        """The writer, which begins with the kept rows."""
        writer = super().experiment
        if self._before:
            before, self._before = self._before, []
            writer.metrics += before
            writer.save()
        return writer


def loggers(folder: Path, before: tuple[int, int] | None, axis: str = "step", board: bool = True) -> list[Logger]:
    """Returns the loggers of a run's folder; they continue the logs `before` a step and a number of finished epochs."""
    table = ContinuedCSVLogger(folder, *before) if before else UTF8CSVLogger(folder, name="", version="")
    if not board:
        return [table]
    kind, purge_step = EpochBoard if axis == "epoch" else Board, before[0] if before else None
    return [kind(folder, name="", version="", default_hp_metric=False, purge_step=purge_step), table]

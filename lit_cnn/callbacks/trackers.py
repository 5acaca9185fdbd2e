"""Loggers that a user adds to a run, such as Weights & Biases, MLflow and Comet."""

import json
import os
from contextlib import suppress
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from lit_cnn import files
from lit_cnn.callbacks.lost_trackers import survive
from lit_cnn.errors import ConfigError
from lit_cnn.runs.folder import read_mapping
from lit_cnn.runs.tracker_packages import PACKAGES, refuse_missing
from lit_cnn.training.lightning_internals import tracking_uri

PROJECT = "lit_cnn"
MAKING = "trackers.lock"  # beside the runs, while a tracker is started
IDS = "trackers.json"  # file with the ids of the run in each tracker, for a resume
ID_ARGUMENTS = {"WandbLogger": "version", "MLFlowLogger": "run_id", "CometLogger": "experiment_key"}
RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
OFFLINE: dict[str, dict[str, Any]] = {"WandbLogger": {"mode": "offline"}, "CometLogger": {"online": False}}


class Trackers(Callback):
    """Starts the added loggers right before the first step, so a failed start leaves no empty run in them.

    Args:
        makers: Class and given arguments of each logger.
        folder: The run's folder.
        runs: The folder of all runs.
        settings: The run's settings, which each logger gets as hyperparameters.
        same_run: On resume, continue the run that each tracker has.

    Raises:
        ConfigError: If a tracker's package is not installed.
    """

    def __init__(
        self, makers: list[partial[Logger]], folder: Path, runs: Path, settings: dict[str, Any], same_run: bool = True
    ):
        self.makers, self.folder, self.runs, self.settings = makers, folder, runs, settings
        self.ids = read_mapping(folder / IDS, json.loads) if same_run else {}
        self.started: list[Any] = []
        refuse_missing(maker.func.__name__ for maker in makers)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or self.started:
            return
        for maker in self.makers:
            with files.alone(self.runs / MAKING):  # several cells would create MLflow's tables at the same time
                logger = self._start(maker)
            if maker.func.__name__ in PACKAGES:
                survive(logger, *([logger.experiment] if maker.func.__name__ == "MLFlowLogger" else []))
            self.started.append(logger)
            if maker.func.__name__ not in self.ids:  # MLflow refuses new values of settings that it already has
                logger.log_hyperparams(self.settings)
        trainer.loggers = [*trainer.loggers, *self.started]
        ids = {type(one).__name__: one.version for one in self.started if type(one).__name__ in ID_ARGUMENTS}
        if ids and trainer.is_global_zero:
            files.write_text(self.folder / IDS, json.dumps(ids) + "\n")

    on_validation_start = on_test_start = on_train_start

    def _start(self, maker: "partial[Logger]") -> Any:
        kind: Any = maker.func
        arguments: dict[str, Any] = {**self._defaults(kind.__name__), **_given(maker)}
        name = kind.__name__
        if name in self.ids:
            arguments[ID_ARGUMENTS[name]] = self.ids[name]
        try:
            return _started(kind, arguments)
        except ModuleNotFoundError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            if name in OFFLINE and not OFFLINE[name].items() <= arguments.items():
                rank_zero_only(print)(f"{name}: {reason}\nThis run stays on disk, in {self.folder}.", flush=True)
                return _started(kind, arguments | OFFLINE[name])
            raise ConfigError(f"{name} cannot start: {reason}") from error

    def _defaults(self, name: str) -> dict[str, Any]:
        """Returns our default arguments of a tracker, except those that the environment sets."""
        run = f"{self.folder.parent.name}/{self.folder.name}"
        if name == "WandbLogger":
            project, run = os.environ.get("WANDB_PROJECT", PROJECT), os.environ.get("WANDB_NAME", run)
            return {"project": project, "name": run, "save_dir": os.environ.get("WANDB_DIR", self.folder)}
        if name == "MLFlowLogger":
            ours = {"experiment_name": os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT), "run_name": run}
            if not os.environ.get("MLFLOW_TRACKING_URI"):
                ours["tracking_uri"] = f"sqlite:///{self.runs / 'mlflow.db'}"
                ours["artifact_location"] = (self.runs / "mlruns").resolve().as_uri()
            return ours
        if name == "CometLogger":
            project = os.environ.get("COMET_PROJECT_NAME", PROJECT)
            return {"project": project, "name": run, "offline_directory": str(self.folder)}
        return {}

    def finish(self, failed: bool) -> None:
        """Ends the run in trackers that would end it only with the process."""
        for logger in self.started:
            if type(logger).__name__ == "WandbLogger":
                logger.experiment.finish(exit_code=int(failed))
            elif type(logger).__name__ == "CometLogger":
                logger.experiment.end()

    def discard(self) -> None:
        """Removes runs without a logged step from the trackers that can remove runs."""
        for logger in self.started:
            if type(logger).__name__ == "MLFlowLogger" and "MLFlowLogger" not in self.ids:
                with suppress(Exception):  # its server may be lost
                    logger.experiment.delete_run(logger.run_id)

    def where(self) -> list[str]:
        """Returns how to see the run in each tracker: a command or an address."""
        shown = []
        for logger in self.started:
            name = type(logger).__name__
            if name == "MLFlowLogger":
                shown.append(f"mlflow ui --backend-store-uri {tracking_uri(logger)}")
            elif name == "WandbLogger":
                run = logger.experiment
                shown.append(run.url or f"wandb sync {os.path.relpath(Path(run.dir).parent)}")
            elif name == "CometLogger":
                shown.append(logger.experiment.url or f"comet upload {self.folder}/*.zip")
        return shown


def _started(kind: Any, arguments: dict[str, Any]) -> Any:
    if kind.__name__ == "CometLogger" and arguments.get("online") is False:  # Lightning 2.6 logs nothing then
        os.environ["COMET_START_ONLINE"], arguments = "0", arguments | {"online": None}
    if kind.__name__ == "MLFlowLogger":
        os.environ.setdefault(RETRIES, "3")  # 14 seconds; its default is five minutes
    logger = kind(**arguments)
    _ = getattr(logger, "experiment", None)  # connects
    return logger


def _given(maker: "partial[Logger]") -> dict[str, Any]:
    """Returns the arguments of a logger that are not the defaults of its class."""
    known = signature(maker.func).parameters
    return {name: value for name, value in maker.keywords.items() if name not in known or value != known[name].default}

"""Run records: config, metrics and results of a run's folder, read without torch."""

import csv
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from lit_cnn.errors import ConfigError
from lit_cnn.runs.folder import read_mapping, read_results
from lit_cnn.runs.settings import decisive

PLAN, FAILURE = "plan.json", "failure.json"
EPOCH_FIGURES = ("train/acc", "train/nll", "val/acc", "val/nll", "seconds", "each_epoch/test_acc")

Row = dict[str, float]


@dataclass
class Run:
    """One training."""

    folder: Path
    label: str  # name of its config, or of its variant in an experiment
    labels: dict[str, str] = field(default_factory=dict)  # label of its value on each axis of its experiment, if any

    @property
    def title(self) -> str:
        """Its name and folder, such as quickstart/version_0."""
        return self.label if self.folder.name == self.label else f"{self.label}/{self.folder.name}"

    @cached_property
    def config(self) -> dict[str, Any]:
        """Its config.yaml."""
        return read_mapping(self.folder / "config.yaml", yaml.safe_load)

    @cached_property
    def results(self) -> dict[str, Any]:
        """Its results.json."""
        return read_results(self.folder)

    @property
    def seed(self) -> int:
        """Its seed."""
        return int(self.config.get("seed_everything") or 0)

    @cached_property
    def rows(self) -> list[Row]:
        """The non-empty cells of each row of metrics.csv."""
        try:
            with (self.folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
                return [{k: float(v) for k, v in row.items() if k and v} for row in csv.DictReader(file)]
        except (OSError, ValueError, TypeError):
            return []

    def epochs(self) -> list[Row]:
        """Returns each epoch's metrics, with the number of the epoch (from 1) and of the steps so far."""
        found: dict[int, Row] = {}
        for row in self.rows:
            figures = {name: row[name] for name in EPOCH_FIGURES if name in row}
            if figures and "epoch" in row:
                epoch = int(row["epoch"]) + 1
                found.setdefault(epoch, {"epoch": epoch}).update(figures, step=row["step"] + 1)
        return [found[epoch] for epoch in sorted(found)]

    @cached_property
    def fault(self) -> str:
        """Why it has no result; empty if it has one."""
        if not _is_run(self.folder):
            return "not run yet"
        if not self.results:
            epochs = self.epochs()
            return f"stopped after epoch {epochs[-1]['epoch']:.0f}" if epochs else "stopped in its first epoch"
        tested = self.config.get("test_after_fit", True)
        return "stopped before its test" if tested and "test/acc" not in self.results else ""

    @property
    def dataset(self) -> str:
        """Describes the data that it was trained and tested on."""
        data = self.config.get("data") or {}
        name = str(data.get("class_path", "unknown data")).rpartition(".")[2].removesuffix("DataModule")
        return f"{name} in {data['init_args']['data_dir']}" if name == "ImageFolder" else name


def runs_in(paths: list[Path]) -> list[Run]:
    """Returns all runs below some folders, with cells of experiments that have no run; ConfigError if there is none."""
    found: dict[Path, Run] = {}
    for path in paths:
        if not path.is_dir():
            raise ConfigError(f"There is no folder {path}. Give the folders of runs, or a folder above them.")
        planned = [
            _cell(plan.parent / cell["name"], cell)
            for plan in sorted(path.rglob(PLAN))
            for cell in read_mapping(plan, json.loads).get("cells", [])
        ]
        here = [config.parent for config in sorted(path.rglob("config.yaml")) if _is_run(config.parent)]
        if not here and not planned:
            raise ConfigError(f"{path} contains no runs. A run is a folder with config.yaml and checkpoints.")
        cells = {run.folder.parent if _is_run(run.folder) else run.folder for run in planned}
        found |= {run.folder: run for run in planned}
        found |= {folder: run_at(folder) for folder in here if folder.parent not in cells}
    return list(found.values())


def runs_of(folder: Path, config: dict[str, Any]) -> list[Path]:
    """Returns the runs in a folder with the same decisive settings as a config, newest first.

    If the config sets no number of threads, as in cells, runs with any number match.
    """
    runs = sorted(folder.glob("version_*"), key=lambda run: int(run.name.rpartition("_")[2]), reverse=True)
    wanted = decisive(config)
    open_ones = {"threads": None} if wanted["threads"] is None else {}
    return [run for run in runs if decisive(read_mapping(run / "config.yaml", yaml.safe_load)) | open_ones == wanted]


def run_at(folder: Path) -> Run:
    """Returns the run in a folder; its experiment names it, but a copied folder has its own name."""
    path = folder.absolute()
    return Run(folder, path.parent.name if _is_version(path) else path.name)


def _cell(folder: Path, cell: dict[str, Any]) -> Run:
    newest = runs_of(folder, cell["config"])
    run = Run(newest[0] if newest else folder, cell["variant"], cell["labels"])
    if not newest:
        run.config = cell["config"]
    if run.fault and (message := read_mapping(folder / FAILURE, json.loads).get("message")):
        run.fault = f"failed: {message.splitlines()[0]}"
    return run


def _is_run(folder: Path) -> bool:
    begun = _is_version(folder) or (folder / "checkpoints").is_dir()  # a copy may have any name
    return begun and (folder / "config.yaml").is_file()


def _is_version(folder: Path) -> bool:
    return folder.name.startswith("version_")

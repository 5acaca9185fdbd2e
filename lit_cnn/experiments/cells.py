"""Cell of an experiment: a variant with a seed, an ordinary run of `fit` in its own folder."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lit_cnn import files
from lit_cnn.experiments.grid import Experiment
from lit_cnn.runs.folder import read_mapping, read_results
from lit_cnn.runs.record import FAILURE, PLAN, runs_of

LOCK, OUTPUT = "lock", "output.txt"


@dataclass(frozen=True)
class Cell:
    """A variant with a seed."""

    name: str  # name of the run: variant and seed
    variant: str
    labels: dict[str, str]  # label of its value on each axis
    seed: int
    root: Path  # the experiment's folder
    argv: list[str]  # arguments of `fit`
    overrides: list[str]  # those arguments that were typed for all cells
    config: dict[str, Any]

    @property
    def folder(self) -> Path:
        """The folder of its runs."""
        return self.root / self.name

    def runs(self) -> list[Path]:
        """Returns its runs, newest first; only those with this cell's config."""
        return runs_of(self.folder, self.config)

    def results(self) -> dict[str, Any] | None:
        """Returns the results of its finished run, or None."""
        for run in self.runs():
            results = read_results(run)
            if ("test/acc" if self.config["test_after_fit"] else "epochs") in results:
                return results
        return None

    def failure(self) -> str:
        """Returns the error message of its last attempt; empty if there is none."""
        return str(read_mapping(self.folder / FAILURE, json.loads).get("message", ""))

    def claim(self) -> Any:
        """Locks the cell until this process ends; returns None if another process has it."""
        try:
            return files.lock(self.folder / LOCK, timeout=0)
        except files.Timeout:
            return None

    def arguments(self) -> list[str]:
        """Returns the arguments of `fit` to start or resume it; deletes runs without a checkpoint."""
        for run in self.runs():
            if any((run / "checkpoints").glob("*.ckpt")):
                return ["--resume", str(run), *self.overrides]
            shutil.rmtree(run)
        return self.argv


def note_failure(folder: Path, code: int, message: str) -> None:
    """Writes the failure of a cell into its folder."""
    files.write_text(folder / FAILURE, json.dumps({"exit_code": code, "message": message}, indent=2) + "\n")


def write_plan(experiment: Experiment, cells: list[Cell]) -> Path:
    """Writes all cells to plan.json in the experiment's folder, and returns its path."""
    target = cells[0].root / PLAN
    content = {"experiment": experiment.name, "file": str(experiment.path), "seeds": experiment.seeds}
    content |= {"cells": [asdict(cell) | {"root": str(cell.root), "folder": str(cell.folder)} for cell in cells]}
    files.write_text(target, json.dumps(content, indent=1) + "\n")
    return target

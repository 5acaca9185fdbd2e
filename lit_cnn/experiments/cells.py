"""One cell of an experiment: a variant with a seed, which is an ordinary run of `fit` in a folder of its own."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lit_cnn import files
from lit_cnn.runs.folder import read_results
from lit_cnn.runs.record import FAILURE, read_mapping, runs_of

LOCK, OUTPUT = "lock", "output.txt"


@dataclass(frozen=True)
class Cell:
    """A variant with a seed.

    Attributes:
        name: Name of the run: the variant's, and the seed.
        variant: The variant's name.
        labels: The value's label for each axis.
        seed: Value of `seed_everything`.
        root: The experiment's folder.
        argv: The arguments of `fit`.
        overrides: Those of them that were typed for all cells.
        config: What the parser made of them.
    """

    name: str
    variant: str
    labels: dict[str, str]
    seed: int
    root: Path
    argv: list[str]
    overrides: list[str]
    config: dict[str, Any]

    @property
    def folder(self) -> Path:
        """Where its runs lie."""
        return self.root / self.name

    def runs(self) -> list[Path]:
        """Returns the folders of its runs, newest first; those with another config are other cells'."""
        return runs_of(self.folder, self.config)

    def results(self) -> dict[str, Any] | None:
        """Returns what its finished run came to, or None where there is none yet."""
        for run in self.runs():
            results = read_results(run)
            if ("test/acc" if self.config["test_after_fit"] else "epochs") in results:
                return results
        return None

    def failure(self) -> str:
        """Returns the message that its last attempt ended with, or nothing."""
        return str(read_mapping(self.folder / FAILURE, json.loads).get("message", ""))

    def claim(self) -> Any:
        """Takes the cell for this process until it ends, however it ends; returns None where another one has it."""
        try:
            return files.lock(self.folder / LOCK, timeout=0)
        except files.Timeout:
            return None

    def arguments(self) -> list[str]:
        """Returns the arguments of `fit` that bring it to its end; runs that were cut off before a checkpoint go."""
        for run in self.runs():
            if any((run / "checkpoints").glob("*.ckpt")):
                return ["--resume", str(run), *self.overrides]
            shutil.rmtree(run)
        return self.argv

    def described(self) -> dict[str, Any]:
        """Returns the cell for the plan's file."""
        return asdict(self) | {"root": str(self.root), "folder": str(self.folder)}


def note_failure(folder: Path, code: int, message: str) -> None:
    """Writes what a cell ended with into its folder."""
    files.write_text(folder / FAILURE, json.dumps({"exit_code": code, "message": message}, indent=2) + "\n")

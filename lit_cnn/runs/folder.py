"""A run's folder: creating it, finding it, and reading its results."""

import json
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from lit_cnn.errors import CheckpointError, ConfigError, DiskError, nearest

_CLAIMED = "LIT_CNN_RUN_FOLDER"  # tells the processes of a distributed strategy which folder the first one claimed
_MADE: dict[Path, list[Path]] = {}  # for each claimed folder, the folders above it that were created
RESULTS = "results.json"
SPLIT = "split.csv"  # the part of each image, if parts were drawn
# Names that Windows does not allow for a folder: its devices, some characters, and a dot or space at the end.
UNUSABLE = re.compile(r'^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]) *(\.|$)|[<>:"|?*\\]|[. ]$', re.IGNORECASE)
FLOAT32 = 2**-24  # a little above the rounding error of a number from 0 to 1


def alone() -> dict[str, Any]:
    """Returns the Trainer's settings for a single process; other processes of torchrun exit here."""
    from lightning.pytorch.utilities import rank_zero_only

    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]
        raise SystemExit(0)
    return {"devices": 1, "num_nodes": 1, "strategy": "auto"}


def claim_folder(parent: Path, kind: str) -> Path:
    """Creates and returns `parent/kind_N` with the smallest free N; two runs never get the same.

    The parent is the folder of all runs of this name; the kind is "version" for trainings, else the verb.
    """
    from lightning.pytorch.utilities import rank_zero_only

    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]
        return Path(os.environ.get(_CLAIMED, parent))
    made, n = _make(parent), 0
    while True:
        folder = parent / f"{kind}_{n}"
        try:
            folder.mkdir()
        except FileExistsError:  # of an earlier run, or of one that was faster
            n += 1
        except FileNotFoundError:  # another run has removed the parent that it had created
            made = _make(parent)
        else:
            os.environ[_CLAIMED] = str(folder)
            _MADE[folder] = made
            return folder


def _make(folder: Path) -> list[Path]:
    """Creates a folder and its parents, and returns the new ones, innermost first."""
    try:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(f"{folder}: {error.strerror}. --trainer.default_root_dir sets the folder for runs.") from error
    return missing


def give_back(folder: Path) -> None:
    """Removes a folder of `claim_folder`, and the empty parents that it created."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # not empty: another run is in it
        for above in _MADE.pop(folder, []):
            above.rmdir()


def snapshot(run: Path) -> dict[Path, bytes | None]:
    """Returns the files directly in a run's folder with their content; without the content of TensorBoard files."""
    files = [path for path in run.iterdir() if path.is_file()]
    return {path: None if path.name.startswith("events.") else path.read_bytes() for path in files}


def restore(run: Path, before: dict[Path, bytes | None]) -> None:
    """Restores a run's folder to a `snapshot`, after a resume that failed at once."""
    for path in [path for path in run.iterdir() if path.is_file() and path not in before]:
        with suppress(PermissionError):  # Windows does not delete open files
            path.unlink()
    for path, content in before.items():
        if content is not None and not (path.is_file() and path.read_bytes() == content):
            path.write_bytes(content)


def find_run(path: str | Path) -> Path:
    """Returns the run for a path: a run's folder, the only run below a folder, or a checkpoint file itself."""
    path = Path(path)
    if path.is_file() or (path / "checkpoints").is_dir():
        return path
    if not path.is_dir():
        beside = _runs_below(path.parent)
        known = [str(folder) for folder in (*beside, *(run.parent for run in beside))]
        raise CheckpointError(
            f"There is no checkpoint or run {path}.{nearest(str(path), known)} "
            "Give a run's folder, such as logs/quickstart/version_0, or a checkpoint's file."
        )
    runs = _runs_below(path)
    if not runs:
        raise CheckpointError(f"There is no checkpoint in {path}: no run, and no checkpoints/best.ckpt or last.ckpt.")
    if len(runs) > 1:
        shown = ", ".join(map(str, runs[:5])) + (f" and {len(runs) - 5} more" if len(runs) > 5 else "")
        raise ConfigError(f"There are {len(runs)} runs in {path}: {shown}.\nGive one of them.")
    return runs[0]


def _runs_below(folder: Path) -> list[Path]:
    # logs/NAME/version_N, from either folder above it, newest first
    found = {c.parent for depth in ("*/checkpoints", "*/*/checkpoints") for c in folder.glob(depth)}
    return sorted(found, key=lambda run: (-(run / "checkpoints").stat().st_mtime, str(run)))


def read_results(folder: Path) -> dict[str, Any]:
    """Returns a run's results.json; empty if there is none.

    Runs of earlier versions have accuracies in float32 and no counts, which are computed from the number of images.
    """
    results = read_mapping(folder / RESULTS, json.loads)
    for split in ("train", "val", "test"):
        share, images = results.get(f"{split}/acc"), results.get(f"{split}_images")
        if f"{split}/correct" not in results and isinstance(share, float) and images:
            correct = round(share * images)
            if abs(correct / images - share) < FLOAT32:
                results |= {f"{split}/correct": correct, f"{split}/acc": correct / images}
    return results


def read_mapping(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    """Returns the mapping in a file, parsed by json.loads or yaml.safe_load; empty if there is none."""
    try:
        content = parse(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def is_name(name: str) -> bool:
    """Whether a name is valid for a run: its folder is below that of all runs, and can be copied to any system."""
    parts = Path(name).parts
    plain = name.isprintable() and bool(name.strip()) and not Path(name).is_absolute() and ".." not in parts
    return plain and all(len(part.encode()) <= 255 and not UNUSABLE.search(part) for part in parts)

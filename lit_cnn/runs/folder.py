"""The folder of a run: claimed by a training, found again by everything after it."""

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from lit_cnn.errors import CheckpointError, ConfigError, DiskError, nearest

# How the processes that a distributed strategy starts learn which folder the first one claimed.
_CLAIMED = "LIT_CNN_RUN_FOLDER"
_MADE: dict[Path, list[Path]] = {}  # of each folder that this process claimed, those above it that it made
RESULTS = "results.json"
FLOAT32 = 2**-24  # the error of a number from 0 to 1 at most, and a little


def alone() -> dict[str, Any]:
    """Returns the Trainer's settings for what one process does; others that torchrun started beside it end here."""
    from lightning.pytorch.utilities import rank_zero_only

    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]
        raise SystemExit(0)
    return {"devices": 1, "num_nodes": 1, "strategy": "auto"}


def claim_folder(parent: Path, kind: str) -> Path:
    """Makes and returns `parent/kind_N` with the smallest free N; two runs never get the same.

    Args:
        parent: Where all runs of this name lie.
        kind: "version" for trainings, else the verb.

    Raises:
        DiskError: If the folder cannot be made.
    """
    from lightning.pytorch.utilities import rank_zero_only

    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]
        return Path(os.environ.get(_CLAIMED, parent))
    made = _make(parent)
    n = 0
    while True:
        folder = parent / f"{kind}_{n}"
        try:
            folder.mkdir()  # fails where another run was faster
        except FileExistsError:
            n += 1
            continue
        except FileNotFoundError:  # a run beside this one gave back the folder that it had made
            made = _make(parent)
            continue
        os.environ[_CLAIMED] = str(folder)
        _MADE[folder] = made
        return folder


def _make(folder: Path) -> list[Path]:
    """Makes a folder with all above it, and returns those that were not there, the innermost first."""
    try:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(f"{folder}: {error.strerror}. --trainer.default_root_dir says where runs go.") from error
    return missing


def give_back(folder: Path) -> None:
    """Removes a folder that `claim_folder` made, and those above it that it made too and that nothing else is in."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # another run is in it
        for above in _MADE.pop(folder, []):
            above.rmdir()


def snapshot(run: Path) -> dict[Path, bytes | None]:
    """Returns the files of a run's folder, those beside its checkpoints, with the content of all but TensorBoard's."""
    files = [path for path in run.iterdir() if path.is_file()]
    return {path: None if path.name.startswith("events.") else path.read_bytes() for path in files}


def restore(run: Path, before: dict[Path, bytes | None]) -> None:
    """Brings a run's folder back to what `snapshot` found: nothing has come of the run that was to go on."""
    for path in [path for path in run.iterdir() if path.is_file() and path not in before]:
        path.unlink()
    for path, content in before.items():
        if content is not None and not (path.is_file() and path.read_bytes() == content):
            path.write_bytes(content)


def find_run(path: str | Path) -> Path:
    """Returns the run that a path means: a run's folder, the one run below a folder, or a checkpoint's file as it is.

    Args:
        path: What a person gave, such as logs/quickstart/version_0, logs/quickstart, or a checkpoint.

    Raises:
        CheckpointError: If there is nothing, or no run in it.
        ConfigError: If there are several runs below it.
    """
    path = Path(path)
    if path.is_file() or (path / "checkpoints").is_dir():
        return path
    if not path.is_dir():
        known = [str(run) for run in _runs_below(path.parent)] + [str(run.parent) for run in _runs_below(path.parent)]
        raise CheckpointError(
            f"There is no checkpoint or run {path}.{nearest(str(path), known)} "
            "Give a run's folder, such as logs/quickstart/version_0, or a checkpoint's file."
        )
    runs = _runs_below(path)
    if not runs:
        raise CheckpointError(
            f"There is no checkpoint in {path}: neither checkpoints/best.ckpt nor last.ckpt, nor a run's folder."
        )
    if len(runs) > 1:
        shown = ", ".join(map(str, runs[:5])) + (f" and {len(runs) - 5} more" if len(runs) > 5 else "")
        raise ConfigError(f"There are {len(runs)} runs in {path}: {shown}.\nName one of them.")
    return runs[0]


def _runs_below(folder: Path) -> list[Path]:
    # logs/NAME/version_N from either of the two folders above it, the newest first
    found = {c.parent for depth in ("*/checkpoints", "*/*/checkpoints") for c in folder.glob(depth)}
    return sorted(found, key=lambda run: (-(run / "checkpoints").stat().st_mtime, str(run)))


def read_results(folder: Path) -> dict[str, Any]:
    """Returns a run's results.json, or nothing where there is none.

    Runs of before counts were kept have accuracies in float32. The number of images tells which counts those are.
    """
    try:
        results = json.loads((folder / RESULTS).read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(results, dict):
        return {}
    for split in ("train", "val", "test"):
        share, images = results.get(f"{split}/acc"), results.get(f"{split}_images")
        if f"{split}/correct" not in results and isinstance(share, float) and images:
            correct = round(share * images)
            if abs(correct / images - share) < FLOAT32:
                results |= {f"{split}/correct": correct, f"{split}/acc": correct / images}
    return results


def is_name(name: str) -> bool:
    """Whether a run of this name has a folder below that of all runs."""
    parts = Path(name).parts
    plain = name.isprintable() and bool(name.strip()) and not Path(name).is_absolute() and ".." not in parts
    return plain and all(len(part.encode()) <= 255 for part in parts)

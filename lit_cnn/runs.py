"""The folder of a run."""

import os
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from lit_cnn.errors import DiskError

# How the processes that a distributed strategy starts learn which folder the first one claimed.
_CLAIMED = "LIT_CNN_RUN_FOLDER"


def alone() -> dict[str, Any]:
    """Returns the Trainer's settings for what one process does; others that torchrun started beside it end here."""
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
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]
        return Path(os.environ.get(_CLAIMED, parent))
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(f"{parent}: {error.strerror}. --trainer.default_root_dir says where runs go.") from error
    n = 0
    while True:
        folder = parent / f"{kind}_{n}"
        try:
            folder.mkdir()  # fails where another run was faster
        except FileExistsError:
            n += 1
            continue
        os.environ[_CLAIMED] = str(folder)
        return folder


def is_name(name: str) -> bool:
    """Whether a run of this name has a folder below that of all runs."""
    parts = Path(name).parts
    plain = name.isprintable() and bool(name.strip()) and not Path(name).is_absolute() and ".." not in parts
    return plain and all(len(part.encode()) <= 255 for part in parts)

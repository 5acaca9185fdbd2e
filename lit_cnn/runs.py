"""The folder of a run."""

import os
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only

# How the processes that a distributed strategy starts learn which folder the first one claimed.
_CLAIMED = "LIT_CNN_RUN_FOLDER"


def claim_folder(parent: Path, kind: str) -> Path:
    """Makes and returns `parent/kind_N` with the smallest free N; two runs never get the same.

    Args:
        parent: Where all runs of this name lie.
        kind: "version" for trainings, else the verb.
    """
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]
        return Path(os.environ.get(_CLAIMED, parent))
    parent.mkdir(parents=True, exist_ok=True)
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

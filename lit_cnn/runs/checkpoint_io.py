"""Checkpoint files: atomic writes, and a checksum that is verified when they are read.

A checkpoint is the zip archive that torch.save writes, with the archive's SHA-256 as its comment. So it is one file,
which can be copied and renamed, and which torch.load can read.
"""

import errno
import hashlib
import os
import shutil
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import torch
from fsspec.utils import get_protocol
from lightning.pytorch.plugins.io import TorchCheckpointIO

from lit_cnn import files
from lit_cnn.errors import CheckpointError, DiskError

LOCK = ".lock"  # in a folder of checkpoints, held during a write
NAME = b"lit_cnn sha256 "
COMMENT = len(NAME) + 2 * hashlib.sha256().digest_size
END, END_MARK, NO_COMMENT = 22, b"PK\5\6", b"\0\0"  # a zip's last record; its last two bytes are the comment's length
MEGABYTE = 2**20


class SafeCheckpointIO(TorchCheckpointIO):
    """Trainer plugin for atomic writes of checkpoints, with a checksum that is verified when they are read.

    No code in a checkpoint is ever run. Paths that are not on a local disk are left to Lightning.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> trainer = Trainer(plugins=[SafeCheckpointIO()], accelerator="cpu", logger=False)
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Writes a checkpoint by `save`."""
        if _is_local(path):
            save(checkpoint, path)
        else:
            super().save_checkpoint(checkpoint, path, storage_options)

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = None) -> dict[str, Any]:
        """Reads a checkpoint by `load`, always with `weights_only`."""
        if _is_local(path):
            return load(path, map_location)
        return super().load_checkpoint(path, map_location, weights_only=True)


def _is_local(path: Any) -> bool:
    return get_protocol(str(path)) in ("file", "local")


class _Summed:
    """A file with a running checksum, which keeps the OSError that torch.save would replace."""

    error: OSError | None = None

    def __init__(self, file: IO[bytes]):
        self.file, self.digest, self.flush = file, hashlib.sha256(), file.flush

    def write(self, data: memoryview) -> int:
        try:
            self.file.write(data)
        except OSError as error:
            self.error = error
            raise
        self.digest.update(data)
        return len(data)


def save(content: Any, path: str | Path) -> None:
    """Writes a file of torch.save atomically; after a DiskError the path has the old file."""
    path = Path(path)
    try:
        with files.alone(path.parent / LOCK), files.replacing(path, alone=True) as partial, partial.open("wb") as file:
            summed = _Summed(file)
            try:
                torch.save(content, summed)  # type: ignore[arg-type]
            except Exception as error:
                raise summed.error or error from None
            file.seek(-len(NO_COMMENT), os.SEEK_END)
            file.write(_ending(summed.digest.hexdigest()))
    except OSError as error:
        kept = " The previous one is kept." if path.exists() else ""
        raise DiskError(
            f"{path} cannot be written: {error.strerror}.{kept}\n"
            "Free some space, or choose another folder with --trainer.default_root_dir."
        ) from error


def load(path: str | Path, map_location: Any = "cpu") -> Any:
    """Reads a file of `save` or torch.save, without running any code in it; raises a CheckpointError if it was changed.

    For files of torch.save, which have no overall checksum, it verifies the checksum of each part.
    """
    try:
        with Path(path).open("rb") as file:
            _verify(file)
            file.seek(0)
            return torch.load(file, map_location=map_location, weights_only=True)
    except Exception as error:  # torch and zipfile raise a dozen types here
        reason = (str(error).strip().splitlines() or [repr(error)])[0]
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {reason}") from error


def newest_valid(folder: Path, key: str) -> tuple[Path | None, list[str]]:
    """Returns the valid checkpoint of a folder with the most steps, and the errors of the unreadable ones.

    Only checkpoints with this key count. If several have the same number of steps, the newest counts.
    """
    newest: tuple[int, int, Path | None] = (-1, -1, None)
    broken = []
    for path in sorted(folder.glob("*.ckpt")):
        try:
            content = load(path)
        except CheckpointError as error:
            broken.append(str(error))
            continue
        if isinstance(content, dict) and key in content:
            newest = max(newest, (content.get("global_step", 0), path.stat().st_mtime_ns, path))
    return newest[2], broken


def sweep(folder: Path) -> None:
    """Deletes partial files of killed processes in a folder, unless a write is going on."""
    with suppress(OSError), files.alone(folder / LOCK, timeout=0):
        for partial in folder.glob(f".*{files.PARTIAL}"):
            with suppress(OSError):
                partial.unlink()


def probe(folder: Path, size: int) -> None:
    """Raises a DiskError if a file of `size` bytes cannot be written into a folder."""
    file = folder / f".probe.{os.getpid()}{files.PARTIAL}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as opened:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(opened.fileno(), 0, max(size, 1))  # reserves the space without writing
            elif shutil.disk_usage(folder).free < size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            opened.write(b"\0")
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        raise DiskError(
            f"{folder}: {error.strerror}, but a checkpoint of this network takes up to {size / 1e6:.1f} MB.\n"
            "Free some space, or choose another folder with --trainer.default_root_dir."
        ) from error
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)


def _ending(hexdigest: str) -> bytes:
    """Returns the last bytes of a file with this checksum: the comment's length, and the comment."""
    return COMMENT.to_bytes(2, "little") + NAME + hexdigest.encode()


def _verify(file: IO[bytes]) -> None:
    if file.read(4) != b"PK\3\4":
        raise ValueError("it is not a checkpoint, or its beginning is broken.")
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - END))
    end = file.read()
    if end.startswith(END_MARK) and end.endswith(NO_COMMENT):  # an `_ending` with one wrong byte is never like this
        if broken := zipfile.ZipFile(file).testzip():
            raise ValueError(f"its part {broken} is broken.")
        return
    digest = hashlib.sha256()
    file.seek(0)
    left = max(0, size - COMMENT - len(NO_COMMENT))  # without the comment's length, which was 0 in the checksum
    while left and (chunk := file.read(min(left, MEGABYTE))):
        digest.update(chunk)
        left -= len(chunk)
    digest.update(NO_COMMENT)
    if file.read() != _ending(digest.hexdigest()):
        raise ValueError("it is incomplete, or was changed later (its checksum differs).")

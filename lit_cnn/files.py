"""Atomic writes and file locks."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import AcquireReturnProxy, FileLock, Timeout

PARTIAL = ".partial"
WINDOWS = os.name == "nt"

__all__ = ["PARTIAL", "Timeout", "alone", "lock", "replacing", "write_text"]


@contextmanager
def replacing(path: Path, alone: bool = False) -> Iterator[Path]:
    """Atomic write: yields the path of a temporary file, and moves it to `path` after an fsync.

    If writing fails, the temporary file is deleted and the old file stays.

    Args:
        path: Where the file goes.
        alone: The caller holds a lock, so no other process writes the file; the partial file of a killed process is
            overwritten.

    Raises:
        OSError: If it cannot be written.

    Example:
        >>> path = Path("notes.txt")
        >>> with replacing(path) as new:
        ...     _ = new.write_text("all of it")
        >>> path.read_text("utf-8")
        'all of it'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}{PARTIAL}" if alone else f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        _move(partial, path)
        _sync_folder(path.parent)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _move(partial: Path, path: Path) -> None:
    """Renames a file; tries again on Windows, which refuses while another process has the old file open."""
    for pause in (0.01, 0.1, 1.0) if WINDOWS else ():
        with suppress(PermissionError):
            return os.replace(partial, path)
        time.sleep(pause)
    return os.replace(partial, path)


def write_text(path: Path, text: str, **options: Any) -> None:
    """Writes a text file atomically, in UTF-8.

    Args:
        path: Where the file goes.
        text: The content.
        options: Arguments of `open`, such as `newline`.

    Raises:
        OSError: If it cannot be written; the old file stays.
    """
    with replacing(path) as partial, partial.open("w", **{"encoding": "utf-8"} | options) as file:
        file.write(text)


def lock(path: Path, timeout: float = -1) -> AcquireReturnProxy:
    """Locks a file, until the end of a `with` or of the process.

    Args:
        path: The lock file; it is not deleted.
        timeout: Seconds to wait for another process; -1 to wait for ever.

    Raises:
        Timeout: If another process holds the lock for longer.
        OSError: If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path, timeout=timeout).acquire()


@contextmanager
def alone(path: Path, timeout: float = -1) -> Iterator[None]:
    """Like `lock`, but deletes the lock file at the end of the `with`."""
    with lock(path, timeout):
        try:
            yield
        finally:
            with suppress(OSError):  # Windows cannot delete an open file
                path.unlink()


def _sync_folder(folder: Path) -> None:
    """Fsyncs a folder; Windows does not open folders, and needs no fsync of one."""
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

"""Atomic writes and locks: a path holds the old file or the new one, and one process at a time writes it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import AcquireReturnProxy, FileLock, Timeout

PARTIAL = ".partial"

__all__ = ["PARTIAL", "Timeout", "alone", "lock", "replacing", "write_text"]


@contextmanager
def replacing(path: Path, alone: bool = False) -> Iterator[Path]:
    """Yields the path of a new file beside another, and puts it in the other's place once it is on the disk.

    If writing fails, the new file is deleted, and the old one stays.

    Args:
        path: Where it goes.
        alone: No other process writes it, since a lock is held; what a killed process left is then written over.

    Raises:
        OSError: If it cannot be written.

    Example:
        >>> path = Path("notes.txt")
        >>> with replacing(path) as new:
        ...     _ = new.write_text("all of it")
        >>> path.read_text()
        'all of it'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}{PARTIAL}" if alone else f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
        _sync_folder(path.parent)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_text(path: Path, text: str, **options: Any) -> None:
    """Writes a text file whole or not at all, in UTF-8.

    Args:
        path: Where it goes.
        text: What to write.
        options: Those of `open`, such as `newline`.

    Raises:
        OSError: If it cannot be written; the old file stays.
    """
    with replacing(path) as partial, partial.open("w", **{"encoding": "utf-8"} | options) as file:
        file.write(text)


def lock(path: Path, timeout: float = -1) -> AcquireReturnProxy:
    """Takes a lock file for this process, until the end of a `with`, or of the process, however it ends.

    Args:
        path: The lock file; it stays.
        timeout: Seconds to wait where another process has it; -1 for as long as it takes.

    Raises:
        Timeout: If another process has it for longer.
        OSError: If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path, timeout=timeout).acquire()


@contextmanager
def alone(path: Path, timeout: float = -1) -> Iterator[None]:
    """Has a lock file for as long as a `with` goes on, and deletes it then; otherwise as `lock`."""
    with lock(path, timeout):
        try:
            yield
        finally:
            with suppress(OSError):  # Windows keeps what is open
                path.unlink()


def _sync_folder(folder: Path) -> None:
    """Brings a folder's list of files to the disk; Windows has no way to, and needs none."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

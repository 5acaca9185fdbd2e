"""Finding image files: all suffixes that Pillow reads, in nested folders; and listing what is left out."""

import errno
import glob
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from PIL import Image

from lit_cnn.errors import DataError, printable

# Pillow starts other programs for these, or only knows their names.
NOT_READ = {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG", "PDF", "PALM"}
EXAMPLES = ".png, .jpg, .jfif, .gif, .webp, .avif, .tif, .bmp or another suffix that Pillow reads"

# Junk of operating systems and programs, which is not reported.
JUNK = {
    ".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", ".directory", ".localized", "icon\r", ".picasa.ini",
    ".gitkeep", ".gitignore", ".gitattributes", ".git", ".dvc", ".nomedia", ".ipynb_checkpoints", "__macosx",
    "__pycache__", "@eadir", "$recycle.bin", "system volume information", ".spotlight-v100", ".trashes", ".fseventsd",
}  # fmt: skip


@dataclass
class Files:
    """Paths of image files, and of the files beside them that are not read."""

    images: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)  # no images, except for the files of operating systems
    hidden: list[str] = field(default_factory=list)  # images whose name or that of a folder starts with a dot

    def add(self, more: "Files") -> None:
        """Adds the paths of another, without duplicates."""
        for name, paths in vars(more).items():
            setattr(self, name, list(dict.fromkeys([*getattr(self, name), *paths])))

    def unread(self, folder: str | Path = "") -> str:
        """Describes the files that are not read: number, reason and first few names; empty if there are none."""
        said = []
        for paths, one, several, fate in (
            (self.left_out, "file is", "files are", f"left out, not {EXAMPLES}"),
            (self.hidden, "hidden image is", "hidden images are", "skipped"),
        ):
            if paths:
                named = [os.path.relpath(path, folder) if folder else path for path in paths]
                said.append(f"{counted(named, one, several)} {fate}: {first_of(named)}")
        return "; ".join(said)


@cache
def suffixes() -> dict[str, str]:
    """Returns Pillow's format for each suffix that it reads, in lower case."""
    known = Image.registered_extensions()  # imports Pillow's readers
    formats = {suffix: "JPEG" if form == "MPO" else form for suffix, form in known.items()}
    return {suffix: form for suffix, form in formats.items() if form in Image.OPEN and form not in NOT_READ}


def suffix_of(path: str | Path) -> str:
    """Returns a file's suffix in lower case."""
    return os.path.splitext(path)[1].lower()


def images_below(folder: str | Path) -> Files:
    """Returns the images in a folder and its subfolders, folder by folder, sorted by name.

    Links to folders are followed, but not in circles. Raises DataError if a folder cannot be read.
    """
    found = Files()
    above = set()
    for parent in Path(folder).resolve().parents:
        with suppress(PermissionError):  # an inaccessible folder, reached from one below it
            above.add(_identity(parent))
    for path, hidden in _walk(os.fspath(folder), frozenset(above)):
        if suffix_of(path) in suffixes():
            (found.hidden if hidden else found.images).append(path)
        elif not hidden:
            found.left_out.append(path)
    return found


def hidden_images(path: str) -> list[str]:
    """Returns a hidden image, or all images below a hidden folder."""
    if os.path.isdir(path):
        return [below for below, _ in _walk(path, frozenset(), hidden=True) if suffix_of(below) in suffixes()]
    return [path] if suffix_of(path) in suffixes() else []


def _identity(path: str | Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _walk(folder: str, above: frozenset[tuple[int, int]], hidden: bool = False) -> Iterator[tuple[str, bool]]:
    """Yields all files below a folder, and whether each is hidden, itself or by a folder above."""
    try:
        here = _identity(folder)
        if here in above:
            return
        with os.scandir(folder) as entries:  # four times as fast as Path.iterdir
            ours = sorted(((entry.name, _is_folder(entry)) for entry in entries), key=lambda entry: entry[0])
    except OSError as error:
        if hidden:  # hidden folders need not be readable
            return
        raise unreadable(folder, error) from error
    names = {name for name, _ in ours}
    for name, is_folder in ours:
        if not is_folder and not is_junk(name, names):
            yield os.path.join(folder, name), hidden or name.startswith(".")
    for name, is_folder in ours:
        if is_folder and (name.startswith(".") or not is_junk(name, names)):
            yield from _walk(os.path.join(folder, name), above | {here}, hidden or name.startswith("."))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, reported when it is opened
        return False


def is_junk(name: str, beside: set[str] = frozenset()) -> bool:  # type: ignore[assignment]
    """Whether a file or folder is junk of an operating system or program, such as `._x.png` beside `x.png`."""
    return name.lower() in JUNK or (name.startswith("._") and name[2:] in beside)


def is_folder(path: str | Path) -> bool:
    """Whether a folder exists. Raises DataError if a folder above it is not accessible."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(folder: str | Path, error: OSError) -> DataError:
    """Returns the error for a folder that is not readable or a link to itself."""
    where = printable(error.filename or folder)
    if error.errno in (errno.EACCES, errno.EPERM):
        return DataError(
            f"{where} cannot be read: {error.strerror}.\nGive yourself the right to it and the folders above."
        )
    return DataError(f"{where} cannot be read: {error.strerror}. Replace or remove it.")


def find_images(given: Sequence[str]) -> Files:
    """Returns the image files for a list of files, folders and shell patterns, each once, in the given order.

    Raises DataError if one of them does not exist, or a folder or pattern has no image.
    """
    found = Files()
    for item in given:
        if is_folder(item):
            files = images_below(item)
        elif os.path.exists(item):
            files = Files([item])
        elif glob.has_magic(item):
            files = _matching(item)
        else:
            raise DataError(
                f"There is no file or folder {printable(item)}. Give image files, folders, or patterns in quotes."
            )
        if not files.images:
            also = f" ({said})" if (said := files.unread()) else ""
            raise DataError(f"There are no images in {printable(item)}{also}. They have to be {EXAMPLES}.")
        found.add(files)
    return found


def _matching(pattern: str) -> Files:
    found = Files()
    for match in sorted(glob.glob(pattern, recursive=True)):
        name = os.path.basename(match.rstrip(os.sep))
        if is_junk(name):
            continue
        if os.path.isdir(match):
            found.add(images_below(match))
        else:
            found.add(Files([match]) if suffix_of(match) in suffixes() else Files([], [match]))
    return found


NAMED = 3


def first_of(paths: Sequence[str]) -> str:
    """Returns the first few paths as text, and how many more there are."""
    more = f" and {len(paths) - NAMED:,} more" if len(paths) > NAMED else ""
    return ", ".join(printable(path) for path in paths[:NAMED]) + more


def counted(paths: Sequence[str], one: str, several: str) -> str:
    """Returns the number of paths with a noun."""
    return f"{len(paths):,} {one if len(paths) == 1 else several}"

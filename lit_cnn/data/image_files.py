"""Finding image files: all suffixes that Pillow reads, in nested folders; and listing skipped files."""

import errno
import glob
import os
import stat
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from PIL import Image

from lit_cnn.errors import DataError, counted, printable

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
    """Paths of image files, and of other files that are skipped."""

    images: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)  # files that are no images, without those of operating systems
    hidden: list[str] = field(default_factory=list)  # images that are hidden: their name or a folder starts with a dot

    def add(self, more: "Files") -> None:
        """Adds the paths of another."""
        for name, paths in vars(more).items():
            getattr(self, name).extend(paths)

    def unread(self, folder: str | Path = "") -> str:
        """Describes the files that are not read: number, reason and first few names; empty if there are none."""
        said = []
        for paths, one, several, fate in (
            (self.left_out, "file is", "files are", f"skipped, since the suffix is not {EXAMPLES}"),
            (self.hidden, "hidden image is", "hidden images are", "skipped"),
        ):
            if paths:
                named = [os.path.relpath(path, folder) if folder else path for path in dict.fromkeys(paths)]
                said.append(f"{counted(len(named), one, several)} {fate}: {first_of(named)}")
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
    for path, hidden in _walk(os.fspath(folder), frozenset(map(str, Path(os.path.realpath(folder)).parents))):
        if suffix_of(path) in suffixes():
            (found.hidden if hidden else found.images).append(path)
        elif not hidden:
            found.left_out.append(path)
    return found


def _walk(folder: str, above: frozenset[str], hidden: bool = False) -> Iterator[tuple[str, bool]]:
    """Yields all files below a folder, and whether each is hidden, itself or by a folder above."""
    here = os.path.realpath(folder)
    if here in above:
        return
    try:
        folders, others = entries(folder)
    except DataError:
        if hidden:  # hidden folders need not be readable
            return
        raise
    for name in others:
        yield os.path.join(folder, name), hidden or name.startswith(".")
    for name in folders:
        yield from _walk(os.path.join(folder, name), above | {here}, hidden or name.startswith("."))


def entries(folder: str | Path) -> tuple[list[str], list[str]]:
    """Returns the names of the folders in a folder, and of its other files, both sorted, without junk.

    Hidden folders are among them, since they may hold images. Raises DataError if the folder cannot be read.
    """
    try:
        with os.scandir(folder) as scanned:  # four times as fast as Path.iterdir
            found = {entry.name: _is_folder(entry) for entry in scanned}
    except OSError as error:
        raise unreadable(folder, error) from error
    ours = [name for name in sorted(found) if not is_junk(name, found) or (found[name] and name.startswith("."))]
    return [name for name in ours if found[name]], [name for name in ours if not found[name]]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, reported when it is opened
        return suffix_of(entry.name) not in suffixes()


def is_junk(name: str, beside: Container[str] = ()) -> bool:
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
    forbidden = error.errno in (errno.EACCES, errno.EPERM)
    remedy = "\nAllow yourself to read it and the folders above." if forbidden else " Replace or remove it."
    return DataError(f"{printable(error.filename or folder)} cannot be read: {error.strerror}.{remedy}")


def find_images(given: Sequence[str]) -> Files:
    """Returns the images of files, folders and shell patterns, each once; DataError if one of these has no image."""
    found = Files()
    for item in given:
        exact, files = is_folder(item) or os.path.exists(item), Files()
        if not exact and not glob.has_magic(item):
            raise DataError(
                f"There is no file or folder {printable(item)}. Give image files, folders, or patterns in quotes."
            )
        for path in [item] if exact else sorted(glob.glob(item, recursive=True)):
            if not exact and is_junk(os.path.basename(path.rstrip(os.sep))):
                continue
            if os.path.isdir(path):
                files.add(images_below(path))
            else:
                (files.images if exact or suffix_of(path) in suffixes() else files.left_out).append(path)
        if not files.images:
            also = f" ({said})" if (said := files.unread()) else ""
            raise DataError(f"There are no images in {printable(item)}{also}. Images are {EXAMPLES}.")
        found.add(files)
    found.images = list(dict.fromkeys(found.images))
    return found


NAMED = 3


def first_of(paths: Sequence[str]) -> str:
    """Returns the first few paths as text, and how many more there are."""
    more = f" and {len(paths) - NAMED:,} more" if len(paths) > NAMED else ""
    return ", ".join(printable(path) for path in paths[:NAMED]) + more

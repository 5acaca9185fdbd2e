"""Layout: a dataset on disk, as a list of images with their classes for each part (train, val, test)."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from PIL import Image

from lit_cnn.data.image_files import first_of
from lit_cnn.errors import ConfigError, DataError, printable

PARTS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
NUMBER = re.compile(r"-?\d+(\.\d*)?", re.ASCII)
PART_OF = {name: part for part, names in PARTS.items() for name in names}


@dataclass(frozen=True)
class Options:
    """Options of a layout that the user has given; the arguments of ImageFolderDataModule."""

    class_depth: int = 1
    path_column: str | None = None
    label_column: str | None = None
    split_column: str | None = None
    image_dir: str | None = None


@dataclass(frozen=True)
class Images:
    """The images of one part, in order."""

    names: Sequence[str]  # paths below the folder of the dataset, with / between folders; or file/row
    labels: Sequence[int]  # the class of each
    open: Callable[[int], Image.Image]  # opens the image of an index, in 8 bits
    files: Sequence[str | Path]  # files with the images; if one changes, the images are read again
    column: str = ""  # the column of these files with the images, if they have several columns

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Layout:
    """A dataset on disk. `parts` has "train"; and "val" and "test" if the dataset has such images with labels."""

    class_names: list[str]
    parts: Mapping[str, Callable[[], Images]]  # each lists its images when it is called
    remarks: Callable[[], list[str]] = field(default=list)  # sentences on what is not read


def which_one(folder: Path, found: Sequence[str]) -> ConfigError:
    """Returns the error for a folder with several tables or archives, each of which could be the dataset."""
    return ConfigError(
        f"{printable(folder)} has {len(found)} files that may list the images: {first_of(found)}.\n"
        f"Give one: --data.data_dir {printable(folder / found[0])}. Its column `split` may have train, val and test."
    )


def as_label(value: object) -> str:
    """Returns the class of a label.

    Example:
        >>> as_label(2.0), as_label(2), as_label("2.0")
        ('2', '2', '2.0')
    """
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def in_order(names: Iterable[str]) -> list[str]:
    """Returns each name once: numbers by their value, others by the alphabet."""
    found = set(names)
    return sorted(sorted(found), key=Decimal if all(map(NUMBER.fullmatch, found)) else None)


def checked(found: list[str], where: str | Path, typed: bool = True) -> list[str]:
    """Returns names of classes if they are allowed.

    Raises DataError if two differ only in case, spaces or zeros, a name in a table begins or ends with a space, or
    there is only one class.
    """
    if spaced := [name for name in found if typed and (name != name.strip() or not name.strip())]:
        raise DataError(
            f"{printable(where)}: the class {printable(spaced[0])!r} begins or ends with a space, or is empty. "
            "Rename it."
        )
    alike: dict[object, str] = {}
    for name in found:
        same = Decimal(name) if NUMBER.fullmatch(name) else " ".join(name.casefold().split())
        other = alike.setdefault(same, name)
        if other != name and len(name + other) > 2:  # letters may be classes
            raise DataError(
                f"{printable(where)}: the classes {printable(other)!r} and {printable(name)!r} differ by case, spaces "
                "or zeros only.\nIf they are one class, give both the same name, otherwise clearly different names."
            )
    if len(found) == 1:
        raise DataError(
            f"{printable(where)} has only one class, {printable(found[0])}: there is nothing to classify.\n"
            "--data.data_dir is the folder above the class folders, or the table of all images."
        )
    return found


def labelled(names: Sequence[str], labels: Sequence[str], class_names: Sequence[str]) -> list[int]:
    """Returns the number of each image's class; DataError if a class is not among `class_names`, those of training."""
    number = {name: i for i, name in enumerate(class_names)}
    if foreign := sorted({label for label in labels if label not in number}):
        name = names[labels.index(foreign[0])]
        raise DataError(
            f"{printable(name)} has a class that the training images do not have: {first_of(foreign)}.\n"
            "Give it one of their classes, or remove it."
        )
    return [number[label] for label in labels]

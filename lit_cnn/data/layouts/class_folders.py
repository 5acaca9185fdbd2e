"""Folders of classes: `ROOT/CLASS/*`, or `ROOT/train|val|test/CLASS/*`; images may lie in folders below these."""

import os
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

from lit_cnn.data.image_files import EXAMPLES, Files, entries, first_of, images_below, is_folder
from lit_cnn.data.images import open_image
from lit_cnn.data.layouts.layout import PARTS, Images, Layout, Options, checked
from lit_cnn.data.layouts.tables import SUFFIXES
from lit_cnn.errors import DataError, counted, printable

LAYOUT = "Images have to be in CLASS/*, or in train/CLASS/* and test/CLASS/*; --data.data_dir is the folder above."


def find(root: Path, options: Options) -> Layout | None:
    """Returns the layout of a folder; DataError if its classes are wrong."""
    if not is_folder(root):
        return None
    folders = part_folders(root)
    tables = [name for name in entries(root)[1] if name.lower().endswith(SUFFIXES)]
    if tables and not _visible_folders(folders["train"]):
        raise DataError(
            f"There are no class folders in {printable(folders['train'])}.\nIf the classes are in a table, use "
            f"--data.data_dir {printable(root / tables[0])}, and perhaps --data.image_dir, where its paths start."
        )
    names = class_names(folders["train"], options.class_depth)
    unlabelled = {folders.pop(part) for part in ("val", "test") if part in folders and _is_flat(folders[part])}
    parts = {part: partial(list_images, root, folder, names, part == "train") for part, folder in folders.items()}
    return Layout(names, parts, partial(what_is_left_out, root, folders, names, unlabelled))


def part_folders(root: Path) -> dict[str, Path]:
    """Returns the folder of each part; the root is the training part if it has no such folders."""
    found: dict[str, Path] = {}
    for part, names in PARTS.items():
        there = [root / name for name in _visible_folders(root) if name.casefold() in names]
        if len(there) > 1:
            raise DataError(
                f"{printable(root)} has both {there[0].name} and {there[1].name}, which mean the same.\n"
                "Remove one of them."
            )
        if there:
            found[part] = there[0]
    others = [name for name in _visible_folders(root) if root / name not in found.values()]
    if set(found) == {"train"} and others and not _visible_folders(found["train"]):
        return {"train": root}  # train is a class, beside car and boat
    if found and "train" not in found:
        (first, *_) = found.values()
        raise DataError(f"There is a folder {printable(first)}, but no folder {printable(root / 'train')}.\n{LAYOUT}")
    return found or {"train": root}


def class_names(folder: Path, depth: int = 1) -> list[str]:
    """Returns the class names: the sorted paths of the folders `depth` levels below. Raises DataError if none."""
    found = _folders_at(folder, depth)
    if not found:
        raise DataError(f"There are no class folders in {printable(folder.resolve())}.\n{LAYOUT}")
    if len(found) == 1 and depth == 1 and len(below := _visible_folders(folder / found[0])) > 1:
        raise DataError(
            f"{printable(folder)} contains only the folder {printable(found[0])}, which has {len(below)} folders.\n"
            f"If these are the classes, use --data.data_dir {printable(folder / found[0])}."
        )
    return checked(sorted(found), folder, typed=False)


def list_images(root: Path, folder: Path, names: Sequence[str], all_classes: bool = False) -> Images:
    """Returns the images below a part's folder, sorted by class and name.

    Raises DataError if there are no images, if an image has a class that is not in `names`, or, with `all_classes`, if
    a class has no image.
    """
    if foreign := sorted(set(_folders_at(folder, 1 + names[0].count("/"))) - set(names)):
        raise DataError(
            f"{printable(folder)} has classes that {printable(root / 'train')} does not have: {first_of(foreign)}.\n"
            "Use the folder names of the training images, or move this folder away; then its part is drawn from them."
        )
    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        found = images_below(folder / name) if is_folder(folder / name) else Files()
        if not found.images and all_classes:
            also = f"\n{said}." if (said := found.unread(folder)) else ""
            where = f"There are no images of the class {printable(name)} in {printable(folder / name)}"
            raise DataError(f"{where}. Add some, or remove the folder.{also}")
        paths += found.images
        labels += [label] * len(found.images)
    if not paths:
        raise DataError(f"There are no images in {printable(folder.resolve())}. Images are {EXAMPLES}.")
    start = len(os.path.join(root, ""))
    return Images([path[start:].replace(os.sep, "/") for path in paths], labels, lambda i: open_image(paths[i]), paths)


def what_is_left_out(
    root: Path, folders: dict[str, Path], names: Sequence[str], unlabelled: Collection[Path] = ()
) -> list[str]:
    """Describes the files that are not read in and beside the parts' folders, and classes without test images."""
    said = [
        f"{printable(folder)} has no class folders, but "
        f"{counted(len(images_below(folder).images), 'image')} without labels, which are skipped. `classify` predicts "
        "their classes after training."
        for folder in sorted(unlabelled)
    ]
    said += [
        f"{printable(folder)}: {sentence}."
        for part, folder in folders.items()
        for sentence in _remarks(folder, names, {"train": "trained on", "val": "validated", "test": "tested"}[part])
    ]
    others = sorted(set(_visible_folders(root)) - {folder.name for folder in (*folders.values(), *unlabelled)})
    if others and folders["train"] != root:
        read = [folder.name for folder in folders.values()]
        which = f"folders {', '.join(read[:-1])} and {read[-1]} are" if len(read) > 1 else f"folder {read[0]} is"
        said.append(f"{printable(root)}: the {which} read, but not {first_of(others)}.")
    return said


def _remarks(folder: Path, names: Sequence[str], use: str) -> Iterator[str]:
    found = images_below(folder)
    depth = 1 + names[0].count("/")
    below = [path[len(os.path.join(folder, "")) :].split(os.sep) for path in found.images]
    if astray := [os.sep.join(parts) for parts in below if len(parts) <= depth]:
        yield f"{counted(len(astray), 'image is', 'images are')} not in a class folder: {first_of(astray)}"
    if unread := found.unread(folder):
        yield unread
    classes = {"/".join(parts[:depth]) for parts in below}
    if without := [name for name in names if name not in classes]:
        lacking = counted(len(without), "class has no images and is", "classes have no images and are")
        yield f"{lacking} not {use}: {first_of(without)}"
    deeper = {"/".join(parts[: depth + 1]) for parts in below if len(parts) > depth + 1}
    if len(deeper) > len(names):  # several folders in a class
        yield (
            f"{len(deeper)} folders are inside class folders, such as {printable(min(deeper))}; "
            f"--data.class_depth {depth + 1} makes each of them a class"
        )


def _folders_at(folder: Path, depth: int) -> list[str]:
    """Returns the paths of all folders `depth` levels below a folder."""
    names = [""]
    for _ in range(depth):
        names = [f"{name}/{below}" for name in names for below in _visible_folders(folder / name.lstrip("/"))]
    return [name.lstrip("/") for name in names]


def _is_flat(folder: Path) -> bool:
    """Whether a folder contains images and no folders."""
    return not _visible_folders(folder) and bool(images_below(folder).images)


def _visible_folders(folder: Path) -> list[str]:
    return [name for name in entries(folder)[0] if not name.startswith(".")]

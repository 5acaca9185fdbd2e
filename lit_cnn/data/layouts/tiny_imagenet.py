"""Tiny ImageNet as it is unpacked: `train/CLASS/images/*`, and `val/images/*` with their classes in a text file.

Le & Yang 2015, http://vision.stanford.edu/teaching/cs231n/reports/2015/pdfs/yle_project.pdf. Its test images have no
labels.
"""

import os
from functools import partial
from pathlib import Path

from lit_cnn.data.image_files import images_below, is_folder
from lit_cnn.data.images import open_image
from lit_cnn.data.layouts import class_folders
from lit_cnn.data.layouts.layout import Images, Layout, Options, labelled
from lit_cnn.errors import DataError, printable

ANNOTATIONS = "val_annotations.txt"  # a line for each image: its name, its class, and a box, with tabs between


def find(root: Path, options: Options) -> Layout | None:
    """Returns the layout of a folder with Tiny ImageNet's annotations, else None."""
    train, val = root / "train", root / "val"
    if not is_folder(train) or not (val / ANNOTATIONS).is_file():
        return None
    names = class_folders.class_names(train)
    parts = {
        "train": partial(class_folders.list_images, root, train, names, all_classes=True),
        "val": partial(_annotated, root, val, names),
    }

    def remarks() -> list[str]:
        said = class_folders.what_is_left_out(train, {"train": train}, names)
        if is_folder(root / "test") and (unlabelled := len(images_below(root / "test").images)):
            said.append(f"{printable(root / 'test')}: {unlabelled:,} images have no labels and are skipped.")
        return said

    return Layout(names, parts, remarks)


def _annotated(root: Path, folder: Path, class_names: list[str]) -> Images:
    file = folder / ANNOTATIONS
    rows = [line.split("\t") for line in file.read_text("utf-8").splitlines() if line.strip()]
    if bad := next((i for i, row in enumerate(rows, start=1) if len(row) < 2), None):
        raise DataError(f"{printable(file)}, line {bad} has to be the name of an image, a tab, and its class.")
    paths = [os.path.join(folder, "images", row[0]) for row in rows]
    names = [f"{folder.name}/images/{row[0]}" for row in rows]
    return Images(names, labelled(names, [row[1] for row in rows], class_names), lambda i: open_image(paths[i]), paths)

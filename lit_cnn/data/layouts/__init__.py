"""Layouts of images on disk: folders of classes, tables, arrays and Parquet files; one file for each.

Each has a function `find` that returns a Layout, or None if the files have another layout.
"""

from pathlib import Path

from lit_cnn.data.image_files import is_folder
from lit_cnn.data.layouts import class_folders, hugging_face, numpy_arrays, tables, tiny_imagenet
from lit_cnn.data.layouts.layout import Layout, Options
from lit_cnn.errors import DataError, printable

IN_ORDER = (hugging_face, tables, numpy_arrays, tiny_imagenet, class_folders)
KNOWN = (
    "Images are in CLASS/*, in train/CLASS/* and test/CLASS/*, or in a .csv or .parquet table, or in "
    ".npy or .npz arrays (docs/your_images.md)."
)


def find_layout(place: Path, options: Options) -> Layout:
    """Returns the layout of a dataset at a path, a folder or a file.

    Raises:
        DataError: If there is nothing, or nothing that is known.
        ConfigError: If the options do not fit it, or a package is missing.
    """
    if not is_folder(place) and not place.is_file():
        raise DataError(f"There is no folder or file {printable(place.resolve())}.\n{KNOWN}")
    for kind in IN_ORDER:
        if (layout := kind.find(place, options)) is not None:
            return layout
    raise DataError(f"There are no images in {printable(place.resolve())} whose classes are known.\n{KNOWN}")

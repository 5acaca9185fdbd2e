"""Image folders: `train/CLASS/*` and `test/CLASS/*`, decoded once into memory."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lit_cnn.data.arrays import Arrays
from lit_cnn.data.images import GREYSCALE_MODES, open_image, to_pixels
from lit_cnn.errors import DataError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".pbm", ".tif", ".tiff"}


@dataclass(frozen=True)
class ImageShape:
    """What all images of a folder are brought to, or have to be already.

    Args:
        in_channels: 1 for greyscale, 3 for colour.
        image_size: Height and width, in pixels.
        convert: Turn colour images grey where `in_channels` is 1, else refuse them.
        resize: Resize images of another size, else refuse them.
    """

    in_channels: int
    image_size: tuple[int, int]
    convert: bool
    resize: bool


def class_names(data_dir: Path) -> list[str]:
    """Returns the names of the folders below `train/`, in their order.

    Raises:
        DataError: If there are none.
    """
    train = data_dir / "train"
    names = sorted(p.name for p in train.iterdir() if p.is_dir() and _counts(p)) if train.is_dir() else []
    if not names:
        what = "There are no folders of classes in" if train.is_dir() else "There is no folder"
        raise DataError(
            f"{what} {train.resolve()}.\n"
            "An image folder is train/CLASS/* and test/CLASS/*; --data.data_dir is the folder above them."
        )
    return names


def list_images(folder: Path, names: Sequence[str]) -> tuple[list[Path], list[int]]:
    """Returns the images below `folder` and the number of each one's class, in the order of their names.

    Raises:
        DataError: If there are none, or one has a class that is not among `names`.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder.resolve()}.\nAn image folder is train/CLASS/* and test/CLASS/*.")
    foreign = sorted(p.name for p in folder.iterdir() if p.is_dir() and _counts(p) and p.name not in names)
    if foreign:
        raise DataError(f"{folder} has classes that {folder.parent / 'train'} lacks: {', '.join(foreign[:5])}.")
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        if not (folder / name).is_dir():
            continue
        found = sorted(p for p in (folder / name).iterdir() if p.suffix.lower() in SUFFIXES and _counts(p))
        paths += found
        labels += [label] * len(found)
    if not paths:
        raise DataError(f"There are no images in {folder.resolve()}. They have to be {', '.join(sorted(SUFFIXES))}.")
    return paths, labels


def shape_of(
    data_dir: Path, names: Sequence[str], in_channels: int | None, image_size: tuple[int, int] | None
) -> ImageShape:
    """Returns the shape that is asked for; what is None is taken from the first training image."""
    paths, _ = list_images(data_dir / "train", names)
    first = open_image(paths[0])
    return ImageShape(
        in_channels or (1 if first.mode in GREYSCALE_MODES else 3),
        image_size or (first.height, first.width),
        convert=in_channels is not None,
        resize=image_size is not None,
    )


def read(data_dir: Path, split: str, names: Sequence[str], shape: ImageShape) -> Arrays:
    """Decodes all images of the "train" or "test" folder, with a progress bar.

    Args:
        data_dir: The folder above `train/` and `test/`.
        split: "train" or "test".
        names: The classes.
        shape: Channels and size of the arrays, and what to do with images that differ.

    Raises:
        DataError: If a file is broken, or of another kind or size than the first.
    """
    from tqdm.auto import tqdm

    paths, labels = list_images(data_dir / split, names)
    images = torch.empty(len(paths), shape.in_channels, *shape.image_size, dtype=torch.uint8)
    as_numpy = images.numpy()

    def decode(i: int) -> None:
        as_numpy[i] = _decode(paths[i], shape)

    with ThreadPoolExecutor() as pool:
        steps = pool.map(decode, range(len(paths)))
        for _ in tqdm(steps, f"Reading {split} images", len(paths), unit=" images", leave=False, disable=None):
            pass
    return Arrays(images, torch.tensor(labels))


def _decode(path: Path, shape: ImageShape) -> np.ndarray:
    image = open_image(path)
    if shape.in_channels == 1 and image.mode not in GREYSCALE_MODES and not shape.convert:
        raise DataError(
            f"{path} is in colour, but the first training image is greyscale.\n"
            "Set --data.in_channels to 3 to read all as colour, or to 1 to read all as greyscale."
        )
    if (image.height, image.width) != shape.image_size and not shape.resize:
        raise DataError(
            f"{path} is {image.height} x {image.width} pixels, but the first training image is "
            f"{shape.image_size[0]} x {shape.image_size[1]}.\nSet --data.image_size to resize all of them."
        )
    return to_pixels(image, shape.in_channels, shape.image_size)


def _counts(path: Path) -> bool:
    """Whether a file or folder is the user's, and not left there by an operating system or a notebook."""
    return not path.name.startswith((".", "__MACOSX"))

"""Image folders: `train/CLASS/*` and `test/CLASS/*`, decoded into a cache or into memory."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import PIL
import torch
from jaxtyping import UInt8

from lit_cnn.data import cache
from lit_cnn.data.arrays import Arrays, channel_statistics
from lit_cnn.data.image_files import EXAMPLES, Files, counted, entries, first_of, images_below, is_folder, unreadable
from lit_cnn.data.images import GREYSCALE_MODES, open_image, to_pixels
from lit_cnn.data.stream import ahead
from lit_cnn.errors import DataError, printable


@dataclass(frozen=True)
class ImageShape:
    """Channels and size of all images of a folder, and whether to convert others."""

    in_channels: int
    image_size: tuple[int, int]
    convert: bool  # colour images to grey if `in_channels` is 1; if false, refuse them
    resize: bool  # images of another size; if false, refuse them


def class_names(data_dir: Path) -> list[str]:
    """Returns the class names: the sorted names of the folders in `train/`. Raises DataError if there are none."""
    train = data_dir / "train"
    names = _visible_folders(train) if is_folder(train) else []
    if not names:
        what = "There are no folders of classes in" if is_folder(train) else "There is no folder"
        raise DataError(
            f"{what} {printable(train.resolve())}.\n"
            "An image folder is train/CLASS/* and test/CLASS/*; --data.data_dir is the folder above them."
        )
    return names


def list_images(folder: Path, names: Sequence[str]) -> tuple[list[str], list[int]]:
    """Returns the paths of the images below `folder` and the index of each one's class, sorted by name.

    Raises DataError if there are none, or one is of a class that is not in `names`.
    """
    if not is_folder(folder):
        raise DataError(
            f"There is no folder {printable(folder.resolve())}.\nAn image folder is train/CLASS/* and test/CLASS/*."
        )
    foreign = sorted(set(_visible_folders(folder)) - set(names))
    if foreign:
        train = printable(folder.parent / "train")
        raise DataError(f"{printable(folder)} has classes that {train} lacks: {first_of(foreign)}.")
    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        found = images_below(folder / name) if is_folder(folder / name) else Files()
        if not found.images and folder.name == "train":
            also = f"\n{said}." if (said := found.unread(folder)) else ""
            raise DataError(f"There are no images of the class {printable(name)} in {printable(folder / name)}.{also}")
        paths += found.images
        labels += [label] * len(found.images)
    if not paths:
        raise DataError(f"There are no images in {printable(folder.resolve())}. They have to be {EXAMPLES}.")
    return paths, labels


def what_is_left_out(data_dir: Path, names: Sequence[str]) -> list[str]:
    """Describes the files that are not read in and beside `train/` and `test/`, and classes without test images."""
    said = []
    for folder in (data_dir / "train", data_dir / "test"):
        if is_folder(folder):
            said += [f"{printable(folder)}: {sentence}." for sentence in _remarks(folder, names)]
    others = sorted(set(_visible_folders(data_dir)) - {"train", "test"})
    if others:
        said.append(
            f"{printable(data_dir)}: the folders train and test are read, and not {first_of(others)}. "
            "Images to validate with are held out from train."
        )
    return said


def _remarks(folder: Path, names: Sequence[str]) -> Iterator[str]:
    found = images_below(folder)
    below = [path[len(str(folder)) + 1 :] for path in found.images]
    if astray := [path for path in below if os.sep not in path]:
        yield f"{counted(astray, 'image lies', 'images lie')} in no folder of a class: {first_of(astray)}"
    if unread := found.unread(folder):
        yield unread
    classes = {path.split(os.sep)[0] for path in below}
    if without := [name for name in names if name not in classes]:
        lacking = counted(without, "class has no images and is", "classes have no images and are")
        yield f"{lacking} not tested: {first_of(without)}"


def _visible_folders(folder: Path) -> list[str]:
    return [name for name in entries(folder)[0] if not name.startswith(".")]


def shape_of(
    data_dir: Path, names: Sequence[str], in_channels: int | None, image_size: tuple[int, int] | None
) -> ImageShape:
    """Returns the images' shape; None stands for that of the first training image."""
    first = open_image(list_images(data_dir / "train", names)[0][0])
    return ImageShape(
        in_channels or (1 if first.mode in GREYSCALE_MODES else 3),
        image_size or (first.height, first.width),
        convert=in_channels is not None,
        resize=image_size is not None,
    )


def read(data_dir: Path, split: str, names: Sequence[str], shape: ImageShape, cache_dir: Path | None) -> cache.Content:
    """Reads the "train" or "test" images, through the cache in `cache_dir` or into memory; DataError, DiskError."""
    paths, labels = list_images(data_dir / split, names)
    image_shape = (*shape.image_size, shape.in_channels)

    def decode(block_length: int) -> Iterator[UInt8[np.ndarray, "b h w c"]]:
        from tqdm.auto import tqdm

        blocks = (paths[start : start + block_length] for start in range(0, len(paths), block_length))
        with tqdm(total=len(paths), desc=f"Decoding {split} images", unit=" images", leave=False, disable=None) as bar:
            for block in ahead(lambda block: np.stack([_decode(path, shape) for path in block]), blocks):
                yield block
                bar.update(len(block))

    if cache_dir is not None:
        place = f"{data_dir.resolve()} {split} {astuple(shape)}"
        file = cache_dir / f"{data_dir.resolve().name}-{split}-{_digest([place])}.images"
        return cache.open_or_build(file, _key(data_dir / split, paths, names), np.array(labels), image_shape, decode)

    pixels = np.empty((len(paths), *image_shape), np.uint8)
    start = 0
    for block in decode(256):
        pixels[start : start + len(block)] = block
        start += len(block)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    return Arrays(images, torch.tensor(labels)), *channel_statistics(images)


def _key(folder: Path, paths: Sequence[str], names: Sequence[str]) -> str:
    """Returns a fingerprint that changes when an image is added, removed, renamed, changed or replaced.

    A file with the same name, size, mtime and ctime counts as unchanged. No program can set back a ctime, so this is
    safe on local file systems. Pillow's version is included, since decoded pixels depend on it.
    """
    start = len(str(folder)) + 1
    stats = ((path[start:], os.stat(path)) for path in paths)
    files = (f"{path}\0{s.st_size}\0{s.st_mtime_ns}\0{s.st_ctime_ns}" for path, s in stats)
    try:
        return _digest([PIL.__version__, *names, *files])
    except OSError as error:  # a broken link or a link to itself
        raise unreadable(folder, error) from error


def _digest(parts: Sequence[str]) -> str:
    return blake2b("\n".join(parts).encode(errors="surrogateescape"), digest_size=8).hexdigest()


def _decode(path: str, shape: ImageShape) -> UInt8[np.ndarray, "h w c"]:
    image = open_image(path)
    if shape.in_channels == 1 and image.mode not in GREYSCALE_MODES and not shape.convert:
        raise DataError(
            f"{printable(path)} is in colour, but the first training image is greyscale.\n"
            "Set --data.in_channels to 3 to read all as colour, or to 1 to read all as greyscale."
        )
    if (image.height, image.width) != shape.image_size and not shape.resize:
        raise DataError(
            f"{printable(path)} is {image.height} x {image.width} pixels, but the first training image is "
            f"{shape.image_size[0]} x {shape.image_size[1]}.\nSet --data.image_size to resize all of them."
        )
    return to_pixels(image, shape.in_channels, shape.image_size)

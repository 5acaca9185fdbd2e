"""Decodes the images of a layout into a cache or into memory: all to one size, in greyscale or colour."""

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
from lit_cnn.data.copies import fingerprints
from lit_cnn.data.image_files import unreadable
from lit_cnn.data.images import GREYSCALE_MODES, to_pixels
from lit_cnn.data.layouts.layout import Images
from lit_cnn.data.memory import REMEDY, refuse_too_large
from lit_cnn.data.stream import ahead
from lit_cnn.errors import DataError, printable


@dataclass(frozen=True)
class ImageShape:
    """Channels and size of all images, and whether to convert images with other channels or sizes."""

    in_channels: int
    image_size: tuple[int, int]
    convert: bool  # convert colour images to grey if `in_channels` is 1; if false, refuse them
    resize: bool  # resize images of another size; if false, refuse them


def shape_of(images: Images, in_channels: int | None, image_size: tuple[int, int] | None) -> ImageShape:
    """Returns the shape of a dataset; None means the channels or the size of the first training image."""
    first = images.open(0)
    return ImageShape(
        in_channels or (1 if first.mode in GREYSCALE_MODES else 3),
        image_size or (first.height, first.width),
        convert=in_channels is not None,
        resize=image_size is not None,
    )


def read(
    place: Path, part: str, images: Images, class_names: Sequence[str], shape: ImageShape, cache_dir: Path | None
) -> cache.Content:
    """Reads the images of a part, through the cache in `cache_dir` or into memory; DataError, DiskError."""
    image_shape = (*shape.image_size, shape.in_channels)

    def decode(block_length: int) -> Iterator[UInt8[np.ndarray, "b h w c"]]:
        from tqdm.auto import tqdm

        blocks = (range(len(images))[start : start + block_length] for start in range(0, len(images), block_length))
        with tqdm(total=len(images), desc=f"Decoding {part} images", unit=" images", leave=False, disable=None) as bar:
            for block in ahead(lambda block: np.stack([_decode(images, i, shape) for i in block]), blocks):
                yield block
                bar.update(len(block))

    if cache_dir is not None:
        name = f"{place.resolve()} {part} {astuple(shape)}"
        file = cache_dir / f"{place.resolve().name}-{part}-{_digest([name])}.images"
        return cache.open_or_build(file, _key(place, images, class_names), np.array(images.labels), image_shape, decode)

    refuse_too_large(len(images), shape.in_channels, shape.image_size, f"{REMEDY[:-1]}, or remove --data.cache false.")
    pixels = np.empty((len(images), *image_shape), np.uint8)
    start = 0
    for block in decode(256):
        pixels[start : start + len(block)] = block
        start += len(block)
    stored = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    return cache.Content(Arrays(stored, torch.tensor(images.labels)), *channel_statistics(stored), fingerprints(pixels))


def _key(place: Path, images: Images, class_names: Sequence[str]) -> str:
    """Returns a fingerprint that changes when an image is added, removed, renamed, changed or replaced.

    A file with the same name, size, mtime and ctime counts as unchanged. Programs cannot set the ctime, so this is safe
    on local file systems. Pillow's version is included, since decoded pixels depend on it.
    """
    try:
        stats = [os.stat(path) for path in images.files]
    except OSError as error:  # a broken link or a link to itself
        raise unreadable(place, error) from error
    files = (f"{s.st_size}\0{s.st_mtime_ns}\0{s.st_ctime_ns}" for s in stats)
    return _digest([PIL.__version__, images.column, *class_names, *images.names, *map(str, images.labels), *files])


def _digest(parts: Sequence[str]) -> str:
    return blake2b("\n".join(parts).encode(errors="surrogateescape"), digest_size=8).hexdigest()


def _decode(images: Images, index: int, shape: ImageShape) -> UInt8[np.ndarray, "h w c"]:
    image = images.open(index)
    if shape.in_channels == 1 and image.mode not in GREYSCALE_MODES and not shape.convert:
        raise DataError(
            f"{printable(images.names[index])} is in colour, but the first training image is greyscale.\n"
            "Set --data.in_channels to 3 to read all images in colour, or to 1 to read all in greyscale."
        )
    if (image.height, image.width) != shape.image_size and not shape.resize:
        raise DataError(
            f"{printable(images.names[index])} is {image.height} x {image.width} pixels, but the first training image "
            f"is {shape.image_size[0]} x {shape.image_size[1]}.\nSet --data.image_size to resize all of them."
        )
    return to_pixels(image, shape.in_channels, shape.image_size)

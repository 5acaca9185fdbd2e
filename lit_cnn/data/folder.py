"""Image folders: `train/CLASS/*` and `test/CLASS/*`, decoded once, into a cache or into memory."""

import glob
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import PIL
import torch
from jaxtyping import UInt8

from lit_cnn.data import cache
from lit_cnn.data.arrays import Arrays, channel_statistics
from lit_cnn.data.images import GREYSCALE_MODES, open_image, to_pixels
from lit_cnn.errors import DataError, printable

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
    names = _folders_in(train) if train.is_dir() else []
    if not names:
        what = "There are no folders of classes in" if train.is_dir() else "There is no folder"
        raise DataError(
            f"{what} {train.resolve()}.\n"
            "An image folder is train/CLASS/* and test/CLASS/*; --data.data_dir is the folder above them."
        )
    return names


def list_images(folder: Path, names: Sequence[str]) -> tuple[list[str], list[int]]:
    """Returns the paths of the images below `folder` and the number of each one's class, in the order of their names.

    Raises:
        DataError: If there are none, or one has a class that is not among `names`.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder.resolve()}.\nAn image folder is train/CLASS/* and test/CLASS/*.")
    foreign = sorted(set(_folders_in(folder)) - set(names))
    if foreign:
        raise DataError(f"{folder} has classes that {folder.parent / 'train'} lacks: {', '.join(foreign[:5])}.")
    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        found = _images_in(folder / name)
        if not found and folder.name == "train":
            raise DataError(f"There are no images of the class {printable(name)} in {printable(folder / name)}.")
        paths += found
        labels += [label] * len(found)
    if not paths:
        raise DataError(f"There are no images in {folder.resolve()}. They have to be {', '.join(sorted(SUFFIXES))}.")
    return paths, labels


def find_images(given: Sequence[str]) -> list[str]:
    """Returns the image files that files, folders and patterns mean, each once, in the order in which they were given.

    Args:
        given: Files, which are taken whatever their suffix; folders, with all folders below them; patterns as the
            shell knows them, `**` for any depth.

    Raises:
        DataError: If one of them does not exist, or a folder or a pattern means no image.
    """
    found: dict[str, None] = {}
    for item in given:
        if os.path.isdir(item):
            images = _images_below(item)
        elif os.path.exists(item):
            images = [item]
        elif glob.has_magic(item):
            matches = sorted(glob.glob(item, recursive=True))
            images = [m for m in matches if os.path.isfile(m) and _is_image(os.path.basename(m))]
        else:
            raise DataError(f"There is no file or folder {item}. Give image files, folders, or patterns in quotes.")
        if not images:
            raise DataError(f"There are no images in {item}. They have to be {', '.join(sorted(SUFFIXES))}.")
        found.update(dict.fromkeys(images))
    return list(found)


def _images_below(folder: str) -> list[str]:
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(filter(_counts, folders))  # where os.walk goes next
        found += [os.path.join(place, name) for name in sorted(files) if _is_image(name)]
    return found


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES and _counts(name)


def _folders_in(folder: Path) -> list[str]:
    return _entries(folder, lambda e: e.name if _counts(e.name) and e.is_dir() else None)


def _images_in(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return _entries(folder, lambda e: e.path if _is_image(e.name) else None)


def _entries(folder: Path, path_of: Callable[[os.DirEntry[str]], str | None]) -> list[str]:
    try:
        with os.scandir(folder) as entries:  # four times as fast as Path.iterdir
            return sorted(path for entry in entries if (path := path_of(entry)) is not None)
    except OSError as error:  # a folder that may not be read, or a link to itself
        where = printable(error.filename or folder)
        raise DataError(f"{where} cannot be read: {error.strerror}. Replace or remove it.") from error


def shape_of(
    data_dir: Path, names: Sequence[str], in_channels: int | None, image_size: tuple[int, int] | None
) -> ImageShape:
    """Returns the shape that is asked for; what is None is taken from the first training image."""
    first = open_image(list_images(data_dir / "train", names)[0][0])
    return ImageShape(
        in_channels or (1 if first.mode in GREYSCALE_MODES else 3),
        image_size or (first.height, first.width),
        convert=in_channels is not None,
        resize=image_size is not None,
    )


def read(data_dir: Path, split: str, names: Sequence[str], shape: ImageShape, cache_dir: Path | None) -> cache.Cached:
    """Reads all images of the "train" or "test" folder, with their statistics.

    Args:
        data_dir: The folder above `train/` and `test/`.
        split: "train" or "test".
        names: The classes.
        shape: Channels and size of the arrays, and what to do with images that differ.
        cache_dir: Where the cache of the decoded images lies or goes; None decodes into memory.

    Raises:
        DataError: If a file is broken, or of another kind or size than the first.
        DiskError: If the cache cannot be written.
    """
    paths, labels = list_images(data_dir / split, names)
    image_shape = (*shape.image_size, shape.in_channels)

    def decode(consume: Callable[[int, UInt8[np.ndarray, "b h w c"]], None], block_length: int) -> None:
        _decode_all(paths, shape, split, consume, block_length)

    if cache_dir is not None:
        place = f"{data_dir.resolve()} {split} {astuple(shape)}"
        file = cache_dir / f"{data_dir.resolve().name}-{split}-{_digest([place])}.images"
        return cache.open_or_build(file, _key(data_dir / split, paths, names), np.array(labels), image_shape, decode)

    pixels = np.empty((len(paths), *image_shape), np.uint8)

    def keep(start: int, block: UInt8[np.ndarray, "b h w c"]) -> None:
        pixels[start : start + len(block)] = block

    decode(keep, 256)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    return cache.Cached(Arrays(images, torch.tensor(labels)), *channel_statistics(images))


def _key(folder: Path, paths: Sequence[str], names: Sequence[str]) -> str:
    """Returns what changes when an image is added, removed, renamed, changed or replaced.

    A file that keeps its name, its size and both of its times is taken for unchanged. Its status time (ctime) no
    program can set back, so that this holds for all local file systems. The pixels that a file is decoded to
    depend on Pillow too.
    """
    start = len(str(folder)) + 1
    stats = ((path[start:], os.stat(path)) for path in paths)
    files = (f"{path}\0{s.st_size}\0{s.st_mtime_ns}\0{s.st_ctime_ns}" for path, s in stats)
    try:
        return _digest([PIL.__version__, *names, *files])
    except OSError as error:  # a link to nothing or to itself
        where = printable(error.filename)
        raise DataError(f"{where} cannot be read: {error.strerror}. Replace or remove it.") from error


def _digest(parts: Sequence[str]) -> str:
    return blake2b("\n".join(parts).encode(errors="surrogateescape"), digest_size=8).hexdigest()


def _decode_all(
    paths: Sequence[str],
    shape: ImageShape,
    split: str,
    consume: Callable[[int, UInt8[np.ndarray, "b h w c"]], None],
    block_length: int,
) -> None:
    """Decodes blocks of images in parallel, with a progress bar, and keeps no block that was consumed.

    In threads, since Pillow decodes and resizes without holding the interpreter: 32 x 32 JPEGs take as long as in
    processes when they come in blocks (one task for an image takes a third longer), and no process has to start.
    """
    from tqdm.auto import tqdm

    with tqdm(total=len(paths), desc=f"Decoding {split} images", unit=" images", leave=False, disable=None) as bar:

        def decode_block(start: int) -> None:
            block = np.stack([_decode(path, shape) for path in paths[start : start + block_length]])
            consume(start, block)
            bar.update(len(block))

        with ThreadPoolExecutor() as pool:
            tasks = [pool.submit(decode_block, start) for start in range(0, len(paths), block_length)]
            try:
                for task in tasks:
                    task.result()
            finally:
                pool.shutdown(cancel_futures=True)  # after an error or Ctrl-C the rest need not be decoded


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


def _counts(name: str) -> bool:
    """Whether a file or folder is the user's, and not left there by an operating system or a notebook."""
    return not name.startswith((".", "__MACOSX"))

"""Image files one batch after the other, decoded ahead by threads, in memory that their number does not change."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from lit_cnn.data.images import GREYSCALE_MODES, open_image, to_pixels
from lit_cnn.errors import DataError


@dataclass
class FileBatch:
    """Some files, in their order, and the images of those that could be read.

    Attributes:
        paths: All files.
        images: The images, without the broken ones.
        broken: Why a file could not be read, by its path.
        converted: Files that were greyscale and are read as colour, or the other way round.
        resized: Files whose images had another size.
    """

    paths: Sequence[str]
    images: UInt8[Tensor, "b c h w"]
    broken: dict[str, str] = field(default_factory=dict)
    converted: list[str] = field(default_factory=list)
    resized: list[str] = field(default_factory=list)

    @property
    def readable(self) -> list[str]:
        """The files of the images."""
        return [path for path in self.paths if path not in self.broken]


def stream(paths: Sequence[str], in_channels: int, image_size: tuple[int, int], batch_size: int) -> Iterator[FileBatch]:
    """Yields image files in batches, brought to the channels and size of a network as an image folder's are.

    Args:
        paths: The files.
        in_channels: 1 for greyscale, 3 for colour.
        image_size: Height and width of the batches, in pixels.
        batch_size: Files in a batch.
    """
    workers = os.cpu_count() or 1
    starts = iter(range(0, len(paths), batch_size))
    waiting: deque[Future[FileBatch]] = deque()
    with ThreadPoolExecutor(workers) as pool:  # Pillow decodes and resizes without holding the interpreter
        try:
            while True:
                for start in starts:
                    waiting.append(pool.submit(_read, paths[start : start + batch_size], in_channels, image_size))
                    if len(waiting) > workers:
                        break
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _read(paths: Sequence[str], in_channels: int, image_size: tuple[int, int]) -> FileBatch:
    batch = FileBatch(paths, torch.empty(0))
    pixels = [np.empty((0, *image_size, in_channels), np.uint8)]
    for path in paths:
        try:
            image = open_image(path)
        except DataError as error:
            batch.broken[path] = str(error)
            continue
        if (image.mode in GREYSCALE_MODES) != (in_channels == 1):
            batch.converted.append(path)
        if (image.height, image.width) != image_size:
            batch.resized.append(path)
        pixels.append(to_pixels(image, in_channels, image_size)[None])
    batch.images = torch.from_numpy(np.concatenate(pixels)).permute(0, 3, 1, 2)
    return batch

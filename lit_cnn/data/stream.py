"""Streaming image files in batches, decoded ahead by threads, with constant memory."""

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
    """A batch of files and their images.

    Attributes:
        paths: All files, in order.
        images: The images, without the broken ones.
        broken: The reason why a file could not be read, by its path.
        converted: Files that were converted from greyscale to colour or back.
        resized: Files that were resized.
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
    """Yields image files in batches, converted to the channels and size of a network.

    Args:
        paths: The files.
        in_channels: 1 for greyscale, 3 for colour.
        image_size: Height and width of the batches, in pixels.
        batch_size: Files in a batch.
    """
    workers = os.cpu_count() or 1
    starts = iter(range(0, len(paths), batch_size))
    waiting: deque[Future[FileBatch]] = deque()
    with ThreadPoolExecutor(workers) as pool:  # Pillow releases the GIL
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

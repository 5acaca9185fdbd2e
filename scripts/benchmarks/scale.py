"""Time to prepare an image for the network, from 5 thousand and from 5 million memory-mapped images.

    python scripts/benchmarks/scale.py [--images 5000000] [--image_size 28] [--in_channels 1] [--folder FOLDER]

Both datasets are caches as an image folder has them, of random bytes, on the disk of FOLDER (5 million images of
28 x 28 pixels take 4 GB, for as long as it runs), and their pages, read from there, are in memory when it is timed.
Each repetition times both in turns, so that the ratio says little about what else the machine does.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from itertools import chain, count, islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from lit_cnn.data import cache
from lit_cnn.data.arrays import Arrays
from lit_cnn.data.module import ImageDataModule
from lit_cnn.transforms import RandomCrop, RandomFlip

SMALL = 5000
SLICES = 1  # the two datasets take turns within a repetition, so that the machine's other work slows both


class Mapped(ImageDataModule):
    """Random images in a cache.

    Args:
        folder: Where the cache lies.
        n: Number of images.
        image_shape: Height, width and channels.
        **kwargs: Arguments of ImageDataModule.
    """

    num_classes = 10

    def __init__(self, folder: Path, n: int, image_shape: tuple[int, int, int], **kwargs: Any):
        super().__init__(val_size=0, **kwargs)
        self.path, self.n, self.image_shape = folder / f"{n}.images", n, image_shape
        *size, self.in_channels = image_shape
        self.image_size = (size[0], size[1])
        self.class_names = [str(c) for c in range(self.num_classes)]

    def read(self, split: str) -> Arrays:
        """Writes the cache, or opens it."""

        def decode(block_length: int) -> Iterator[np.ndarray]:
            rng = np.random.default_rng(0)
            for start in range(0, self.n, block_length):
                yield rng.integers(0, 256, (min(block_length, self.n - start), *self.image_shape), np.uint8)

        labels = np.arange(self.n) % self.num_classes
        if not self.path.exists():
            cache.open_or_build(self.path, str(self.n), labels, self.image_shape, decode)
            _forget(self.path)
        arrays, self.mean, self.std, _ = cache.open_or_build(self.path, str(self.n), labels, self.image_shape, decode)
        return arrays


def measure(
    repetitions: int = 5,
    images: int = 5_000_000,
    image_size: int = 28,
    in_channels: int = 1,
    folder: str | None = None,
    timed: int = 500_000,
) -> dict[str, Any]:
    """Returns nanoseconds for an image of both datasets, and their ratios, as medians over the repetitions.

    Args:
        repetitions: How often both are timed.
        images: Images of the large dataset; the small one has 5,000.
        image_size: Height and width, in pixels.
        in_channels: Channels of the images.
        folder: Where the temporary files go; by default where the system wants them.
        timed: Images of each that a repetition takes: epochs of the small dataset, and a part of one of the
            large, to which the image's share of the time for drawing that epoch's order is added.
    """
    found: dict[str, Any] = {"images": [SMALL, images], "image_shape": [image_size, image_size, in_channels]}
    with tempfile.TemporaryDirectory(dir=folder) as place:
        for name, augment in {"normalise": [], "crop + flip + normalise": [RandomCrop(2), RandomFlip()]}.items():
            datasets = []
            for n in (SMALL, images):
                data = Mapped(Path(place), n, (image_size, image_size, in_channels), augment=augment, seed=0)
                data.setup("fit")
                datasets.append((data, _batches(data)))
            for data, batches in datasets:
                for part in data.arrays("train").images.split(100_000):  # its pages come into memory
                    part.max()
                _seconds(data, batches, timed)
            times = []
            for _ in range(repetitions):
                slices = [[_seconds(*d, timed // SLICES) for d in datasets] for _ in range(SLICES)]
                small, large = (median(of_one) for of_one in zip(*slices, strict=True))
                times.append((small, large + _order_seconds(datasets[1][0])))
            found[name] = {
                "ns_per_image": [median(t) * 1e9 for t in zip(*times, strict=True)],
                "ratio": median(large / small for small, large in times),
                "ratios": [round(large / small, 3) for small, large in times],
            }
    return found


def _forget(file: Path) -> None:
    """Has the system write a new file to the disk, and read it from there: its pages lie as in a second run."""
    with file.open("rb") as opened:
        os.fsync(opened)
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _batches(data: ImageDataModule) -> Iterator[Any]:
    """Yields each batch, epoch after epoch."""
    loader = data.train_dataloader()
    loader.contiguous = False  # as `fit` takes them

    def epoch_of(epoch: int) -> Iterator[Any]:
        loader.sampler.set_epoch(epoch)
        return iter(loader)

    return chain.from_iterable(epoch_of(epoch) for epoch in count())


def _seconds(data: ImageDataModule, batches: Iterator[Any], timed: int) -> float:
    """Returns seconds for an image; a small dataset's order is among them, a large one's has been drawn before."""
    start = time.perf_counter()
    for _ in islice(batches, timed // data.batch_size):
        pass
    return (time.perf_counter() - start) / (timed // data.batch_size * data.batch_size)


def _order_seconds(data: ImageDataModule) -> float:
    """Returns seconds for drawing an epoch's order, as an image's share."""
    start = time.perf_counter()
    next(iter(data.train_dataloader().sampler))
    return (time.perf_counter() - start) / len(data.arrays("train"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in {"repetitions": 5, "images": 5_000_000, "image_size": 28, "in_channels": 1}.items():
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--folder")
    print(measure(**vars(parser.parse_args())))

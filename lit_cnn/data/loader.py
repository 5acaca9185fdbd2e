"""Batches from arrays: the order, the share of each device, one gather for a batch."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from lit_cnn.data.arrays import Arrays
from lit_cnn.transforms.draws import permutation


class RawBatch(NamedTuple):
    """A batch as it lies in memory, before it is moved to the device and preprocessed."""

    images: UInt8[Tensor, "b c h w"]
    labels: Int64[Tensor, "b"]
    indices: Int64[Tensor, "b"]


class BatchOrder:
    """Which images make up which batch of an epoch: a function of (seed, epoch) alone.

    Each global batch of `batch_size * devices` images is cut into one slice for each device. The last one
    may be short. For training all slices are equal, so that gradients average rightly: up to
    `devices - 1` images are left for another epoch, and a last batch of one image for each device too, since
    batch norm cannot learn from it. For evaluation every image comes exactly once, and all devices take
    the same number of batches.

    Args:
        n: Number of images.
        batch_size: Images in a batch of one device.
        training: Draw a new order for each epoch, else keep the images' own.
        seed: Seed of the orders.
        rank: Which device this is.
        devices: How many devices there are.
        frozen: Keep the order of epoch 0, as it takes to overfit a few batches.
    """

    def __init__(
        self,
        n: int,
        batch_size: int,
        training: bool,
        seed: int = 0,
        rank: int = 0,
        devices: int = 1,
        frozen: bool = False,
    ):
        self.frozen = frozen
        self.n, self.batch_size, self.training, self.seed = n, batch_size, training, seed
        self.rank, self.devices = rank, devices
        self.epoch = 0
        self._cuts = self._cut()

    def set_epoch(self, epoch: int) -> None:
        """Says which epoch comes next; Lightning calls it."""
        self.epoch = 0 if self.frozen else epoch

    def _cut(self) -> list[tuple[int, int]]:
        step = self.batch_size * self.devices
        full, rest = divmod(self.n, step)
        cuts = [(i * step, (i + 1) * step) for i in range(full)]
        if self.training:
            rest -= rest % self.devices
            if rest > self.devices or (rest and not cuts):
                cuts.append((full * step, full * step + rest))
        elif rest >= self.devices or not cuts:
            cuts.append((full * step, self.n))
        elif rest:  # too few for all devices to get one: they go with the batch before
            cuts[-1] = (cuts[-1][0], self.n)
        return cuts

    def __len__(self) -> int:
        return len(self._cuts)

    def __iter__(self) -> Iterator[Int64[Tensor, "b"]]:
        order = permutation(self.n, self.seed, "order", self.epoch) if self.training else torch.arange(self.n)
        for start, stop in self._cuts:
            yield order[start:stop].tensor_split(self.devices)[self.rank]


class ArrayLoader:
    """Yields `RawBatch`es, each by one gather in the process that trains.

    Args:
        arrays: The images and labels.
        sampler: Which images make up which batch. Lightning tells it the epoch by this attribute's name.
    """

    batch_sampler = None  # Lightning asks for it wherever there is a sampler

    def __init__(self, arrays: Arrays, sampler: BatchOrder):
        self.arrays = arrays
        self.sampler = sampler

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[RawBatch]:
        for indices in self.sampler:
            batch = self.arrays.subset(indices)
            yield RawBatch(batch.images, batch.labels, indices)

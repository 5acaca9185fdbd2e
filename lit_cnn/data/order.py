"""Which images make up which batch of an epoch, and which of them a device takes."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor

from lit_cnn.keyed_random import permutation


class Share(NamedTuple):
    """A device's part of a global batch: its images are those from `first` on, of `total`."""

    first: int
    images: int
    total: int


class BatchOrder:
    """Which images make up which batch of an epoch: a function of (seed, epoch) alone.

    Each global batch of `batch_size * devices` images is cut into one slice for each device. The last one
    may be short, and then some devices get one image more than others. For training it is left for another epoch
    where a device would get less than two images, since batch norm cannot learn from one. For evaluation every
    image comes exactly once, and all devices take the same number of batches.

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
            if rest >= 2 * self.devices or (rest >= self.devices and not cuts):
                cuts.append((full * step, self.n))
        elif rest >= self.devices or not cuts:
            cuts.append((full * step, self.n))
        elif rest:  # too few for all devices to get one: they go with the batch before
            cuts[-1] = (cuts[-1][0], self.n)
        return cuts

    def __len__(self) -> int:
        return len(self._cuts)

    def __iter__(self) -> Iterator[Int64[Tensor, "b"]]:
        order = permutation(self.n, self.seed, "order", self.epoch) if self.training else torch.arange(self.n)
        for batch, (start, _) in enumerate(self._cuts):
            share = self.share(batch)
            yield order[start + share.first : start + share.first + share.images]

    def share(self, batch: int) -> Share:
        """Returns this device's part of a batch."""
        start, stop = self._cuts[batch]
        each, more = divmod(stop - start, self.devices)  # the first devices take one more where it does not divide
        first = self.rank * each + min(self.rank, more)
        return Share(first, each + (self.rank < more), stop - start)

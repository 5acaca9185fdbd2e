"""Batch sampler: the indices of each batch of an epoch, and each device's share."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor

from lit_cnn.keyed_random import permutation


class Share(NamedTuple):
    """A device's part of a global batch of `total` images: `images` of them, from `first` on."""

    first: int
    images: int
    total: int


@dataclass(eq=False)
class BatchOrder:
    """Batch sampler, a function of (seed, epoch) only.

    Each global batch of `batch_size * devices` images is cut into one slice for each device. The last one may be
    short; then some devices get one image more than others. In training it is dropped if a device would get fewer
    than two images, since batch norm needs two. In evaluation every image comes exactly once, and all devices take
    the same number of batches.
    """

    n: int  # number of images
    batch_size: int  # images in a batch of one device
    training: bool  # shuffle in each epoch; if false, keep the order
    seed: int = 0
    rank: int = 0
    devices: int = 1
    frozen: bool = False  # keep the order of epoch 0, to overfit a few batches
    balanced: Int64[Tensor, "n"] | None = None  # the class of each image, for balanced sampling; see `balance`

    def __post_init__(self) -> None:
        self.epoch = 0
        step = self.batch_size * self.devices
        full, rest = divmod(self.n, step)
        cuts = [(i * step, (i + 1) * step) for i in range(full)]
        if self.training:
            if rest >= 2 * self.devices or (rest >= self.devices and not cuts):
                cuts.append((full * step, self.n))
        elif rest >= self.devices or not cuts:
            cuts.append((full * step, self.n))
        elif rest:  # fewer images than devices: they join the previous batch
            cuts[-1] = (cuts[-1][0], self.n)
        self._cuts = cuts

    def set_epoch(self, epoch: int) -> None:
        """Sets the next epoch; Lightning calls it."""
        self.epoch = 0 if self.frozen else epoch

    def __len__(self) -> int:
        return len(self._cuts)

    def __iter__(self) -> Iterator[Int64[Tensor, "b"]]:
        order = permutation(self.n, self.seed, "order", self.epoch) if self.training else torch.arange(self.n)
        if self.training and self.balanced is not None:
            order = balance(self.balanced, self.seed, self.epoch)[order]
        for batch, (start, _) in enumerate(self._cuts):
            share = self.share(batch)
            yield order[start + share.first : start + share.first + share.images]

    def share(self, batch: int) -> Share:
        """Returns this device's part of a batch."""
        start, stop = self._cuts[batch]
        each, more = divmod(stop - start, self.devices)  # the first devices take the remainder
        first = self.rank * each + min(self.rank, more)
        return Share(first, each + (self.rank < more), stop - start)


def balance(labels: Int64[Tensor, "n"], seed: int, epoch: int) -> Int64[Tensor, "n"]:
    """Balanced sampling: returns n indices of images, as many of each class, a function of (seed, epoch) only.

    The images of a class come equally often, up to a difference of one. The j-th copy of image i has the index
    i + j * n, so that each copy is augmented with other random numbers.
    """
    n = len(labels)
    classes = labels.unique()
    wanted = torch.bincount((torch.arange(n) + epoch) % len(classes), minlength=len(classes))
    drawn = []
    for c, m in zip(classes.tolist(), wanted.tolist(), strict=True):
        own = (labels == c).nonzero().flatten()
        copies = range(-(-m // len(own)))
        shuffled = [own[permutation(len(own), seed, "balance", epoch, c, copy)] + copy * n for copy in copies]
        drawn.append(torch.cat(shuffled)[:m])
    return torch.cat(drawn)

"""A dataset as two arrays in memory."""

from dataclasses import dataclass

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from lit_cnn.errors import DataError
from lit_cnn.transforms.draws import permutation


@dataclass(frozen=True)
class Arrays:
    """Images and labels.

    Args:
        images: All images, as bytes.
        labels: The class of each image.

    Raises:
        DataError: If the two differ in number.
    """

    images: UInt8[Tensor, "n c h w"]
    labels: Int64[Tensor, "n"]

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise DataError(f"There are {len(self.images)} images, but {len(self.labels)} labels.")

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, indices: Int64[Tensor, "m"]) -> "Arrays":
        """Returns the images at these positions, copied."""
        return Arrays(self.images.index_select(0, indices), self.labels.index_select(0, indices))


def stratified_split(
    labels: Int64[Tensor, "n"], held_out: int, seed: int
) -> tuple[Int64[Tensor, "m"], Int64[Tensor, "k"]]:
    """Returns positions to train on and positions to hold out, each class in its share of the whole.

    Args:
        labels: The class of each image.
        held_out: How many images to hold out.
        seed: Seed of the choice within each class.
    """
    counts = torch.bincount(labels)
    exact = counts * held_out / len(labels)
    quota = exact.floor().long()
    most_cut_off = (exact - quota).argsort(descending=True, stable=True)
    quota[most_cut_off[: held_out - int(quota.sum())]] += 1  # largest remainders, so that the sum is exact
    shuffled = permutation(len(labels), seed, "split")
    of_class = [shuffled[labels[shuffled] == c] for c in range(len(counts))]
    held = torch.cat([positions[:q] for positions, q in zip(of_class, quota, strict=True)])
    kept = torch.ones(len(labels), dtype=torch.bool)
    kept[held] = False
    return kept.nonzero().flatten(), held.sort().values


def channel_counts(images: UInt8[Tensor, "n c h w"]) -> Int64[Tensor, "c 256"]:
    """Returns how often each channel has each of the 256 levels; in parts, so that a mapped file stays on the disk."""
    counts = torch.zeros(images.shape[1], 256, dtype=torch.int64)
    for part in images.split(4096):
        for c in range(images.shape[1]):
            counts[c] += torch.bincount(part[:, c].flatten(), minlength=256)
    return counts


def statistics_of(counts: Int64[Tensor, "c 256"]) -> tuple[list[float], list[float]]:
    """Returns mean and standard deviation of each channel, on a scale from 0 to 1, from its histogram."""
    levels = torch.arange(256, dtype=torch.float64) / 255
    shares = counts.double() / counts.sum(1, keepdim=True)
    means = (shares * levels).sum(1)
    variances = (shares * (levels - means[:, None]) ** 2).sum(1)
    return means.tolist(), variances.clamp(min=1e-12).sqrt().tolist()


def channel_statistics(images: UInt8[Tensor, "n c h w"]) -> tuple[list[float], list[float]]:
    """Returns mean and standard deviation of each channel, on a scale from 0 to 1."""
    return statistics_of(channel_counts(images))

"""Batches: images are gathered, flipped and shifted, augmented, normalised, mixed and permuted."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor
from torch.nn.functional import one_hot

from lit_cnn.data.arrays import Arrays
from lit_cnn.keyed_random import Draws
from lit_cnn.transforms import Augmentation, Mixing, Preprocess
from lit_cnn.transforms.placement import Place, Placement, put

# Size of a group of images made at once, in bytes of float32 inputs: the fastest of 1 to 32 MB on a CPU.
GROUP_BYTES = 6 * 2**20

# Crops and flips are done for more images at once: they are many short calls, and work on bytes, not on float32.
# On a CPU, with crop and flip of CIFAR-10, 12 MB of bytes took 0.7 to 0.8 of the time of one group.
PLACED_BYTES = 12 * 2**20

CPU = torch.device("cpu")
Kind = TypeVar("Kind", bound=Augmentation)
Group = tuple[Tensor, Tensor, list[int]]  # inputs and targets of several batches, and the number of images in each


@dataclass(eq=False)
class BatchMaker:
    """Makes batches of inputs and targets from images in memory; `groups` has all the steps in order.

    Random draws depend only on (seed, epoch, index). So the augmentation of an image does not depend on its batch or
    device.
    """

    arrays: Arrays
    preprocess: Preprocess
    augmentations: Sequence[Augmentation] = ()  # of training images, in the order of their stages
    num_classes: int = 0  # for the targets of mixed images
    seed: int = 0  # of the augmentations
    device: torch.device = CPU  # where batches are made
    copies: bool = False  # whether indices beyond the last image mean further copies of the images

    def __post_init__(self) -> None:
        self.mixings = _named([a for a in self.augmentations if isinstance(a, Mixing)])
        named = _named([a for a in self.augmentations if not isinstance(a, Mixing)])
        self.placements = _done_in_one_move(named)
        self.changes = named[len(self.placements) :]
        one = self.arrays.stored_images[:1]
        self.group_images = GROUP_BYTES // (4 * one.numel())
        self.placed_images = PLACED_BYTES // one.nbytes

    def __call__(self, indices: Int64[Tensor, "b"], epoch: int | None = None) -> tuple[Tensor, Tensor]:
        """Returns the inputs and targets of some images, augmented if an epoch is given."""
        inputs, targets, _ = next(self.groups([indices], epoch))
        return inputs, targets

    def groups(self, batches: Iterable[Int64[Tensor, "b"]], epoch: int | None = None) -> Iterator[Group]:
        """Yields batches, several at once, since single ones take longer; without an epoch they are not augmented."""
        in_one_move = self.placements and epoch is not None and self.arrays.device.type == self.device.type == "cpu"
        for placed_at_once in _together(batches, self.placed_images if in_one_move else self.group_images):
            parts = list(_together(placed_at_once, self.group_images))
            placed = self._placed(torch.cat(placed_at_once), epoch).split([sum(map(len, part)) for part in parts])
            for part, images in zip(parts, placed, strict=True):
                indices = torch.cat(part)
                draws = self._draws(indices, epoch)
                inputs = self.preprocess.normalised(self._augmented(images, draws))
                inputs, targets = self._mixed(inputs, self._labels(indices), draws)
                yield self.preprocess.permuted(inputs), targets, [len(batch) for batch in part]

    def _placed(self, indices: Int64[Tensor, "b"], epoch: int | None) -> Shaped[Tensor, "b c h w"]:
        """Gathers images, cropped and flipped."""
        place, draws = Place(), self._draws(indices, epoch)
        for name, placement in self.placements:
            if draws is not None:
                both = place.then(placement.draw(replace(draws, purpose=name)))
                assert both is not None  # ensured by _done_in_one_move
                place = both
        indices = self._stored(indices)
        if self.arrays.device == self.device:
            return self.arrays.placed(indices, place)
        return put(self._moved(self.arrays.images_at(indices)), place)

    def _labels(self, indices: Int64[Tensor, "b"]) -> Int64[Tensor, "b"]:
        return self._moved(self.arrays.labels_at(self._stored(indices)))

    def _stored(self, indices: Int64[Tensor, "b"]) -> Int64[Tensor, "b"]:
        return (indices % len(self.arrays) if self.copies else indices).to(self.arrays.device)

    def _augmented(self, images: Shaped[Tensor, "b c h w"], draws: Draws | None) -> Shaped[Tensor, "b c h w"]:
        """Applies the other augmentations of single images."""
        if draws is not None:
            for name, change in self.changes:
                images = change(images, replace(draws, purpose=name))
        return images

    def _mixed(
        self, inputs: Float[Tensor, "b c h w"], labels: Int64[Tensor, "b"], draws: Draws | None
    ) -> tuple[Float[Tensor, "b c h w"], Int64[Tensor, "b"] | Float[Tensor, "b k"]]:
        """Applies mixup and CutMix; targets are then a share of each class."""
        if draws is None or not self.mixings:
            return inputs, labels
        targets = one_hot(labels, self.num_classes).float()
        for name, mixing in self.mixings:
            own = replace(draws, purpose=name)
            # The partner is from the whole dataset, so that it does not depend on batch size and devices.
            partner = own.integers("partner", 0, len(self.arrays) - 1)
            partners = self._augmented(self._placed(partner, draws.epoch), replace(draws, indices=partner))
            inputs, share = mixing(inputs, self.preprocess.normalised(partners), own)
            theirs = one_hot(self._labels(partner), self.num_classes)
            targets = share[:, None] * targets + (1 - share[:, None]) * theirs
        return inputs, targets

    def _draws(self, indices: Int64[Tensor, "b"], epoch: int | None) -> Draws | None:
        return None if epoch is None else Draws(self.seed, epoch, self._moved(indices))

    def _moved(self, values: Tensor) -> Tensor:
        """Returns values on the device where batches are made; a copy to a GPU overlaps with the network."""
        if self.device.type == "cuda" and values.device.type == "cpu":
            return values.pin_memory().to(self.device, non_blocking=True)
        return values.to(self.device)  # a copy from a GPU must be complete


def _named(augmentations: Iterable[Kind]) -> list[tuple[str, Kind]]:
    """Returns augmentations with names for their random draws, so that two of one class draw different numbers."""
    return [(f"{type(augmentation).__name__} {i}", augmentation) for i, augmentation in enumerate(augmentations)]


def _done_in_one_move(augmentations: list[tuple[str, Augmentation]]) -> list[tuple[str, Placement]]:
    """Returns the leading crops and flips that can be done in one copy; at most one of them may shift."""
    place = Place()
    first: list[tuple[str, Placement]] = []
    for name, augmentation in augmentations:
        if not isinstance(augmentation, Placement):
            break
        both = place.then(augmentation.draw(Draws(0, 0, torch.zeros(1, dtype=torch.int64))))
        if both is None:
            break
        place = both
        first.append((name, augmentation))
    return first


def _together(batches: Iterable[Int64[Tensor, "b"]], images: int) -> Iterator[list[Int64[Tensor, "b"]]]:
    """Yields lists of batches with at most so many images, and at least one batch."""
    together: list[Tensor] = []
    for batch in batches:
        if together and sum(map(len, together)) + len(batch) > images:
            yield together
            together = []
        together.append(batch)
    if together:
        yield together

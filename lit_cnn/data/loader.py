"""Data loader for images in memory, instead of torch's DataLoader."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import torch
from torch import Tensor

from lit_cnn.data.batches import BatchMaker, Group
from lit_cnn.data.order import BatchOrder

# Evaluation batches do not change, and are kept up to this size, in bytes of float32 inputs: 10,000 images of CIFAR-10
# take 123 MB. Making them again takes a third of a small network's validation (`python scripts/bench.py evaluation`).
KEPT_BYTES = 2**27


@dataclass(eq=False)
class ArrayLoader:
    """Yields the batches of an epoch, ready for the network."""

    make: BatchMaker
    sampler: BatchOrder  # Lightning sets its epoch, and finds it by this name
    keep: bool = False  # keep evaluation batches for the next evaluation, if they are small enough
    contiguous: bool = False  # contiguous memory; else channels_last, which is fastest for convolutions
    batch_sampler: ClassVar[None] = None  # Lightning reads it from anything with a sampler

    def __post_init__(self) -> None:
        self._yielded = {"epoch": 0, "batches": 0}
        self._resumed: dict[str, int] | None = None
        bytes_in_all = 4 * self.make.arrays.stored_images[:1].numel() * len(self.make.arrays)
        self._keep = self.keep and not self.sampler.training and bytes_in_all <= KEPT_BYTES
        self._kept: list[Group] = []
        self._versions: list[int] = []

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        resumed, self._resumed = self._resumed, None
        first = resumed["batches"] if resumed and resumed["epoch"] == self.sampler.epoch else 0
        self._yielded = {"epoch": self.sampler.epoch, "batches": first}
        for inputs, targets, sizes in self._groups(first):
            inputs = inputs.contiguous() if self.contiguous else inputs
            for batch in zip(inputs.split(sizes), targets.split(sizes), strict=True):
                self._yielded["batches"] += 1
                yield batch

    def _groups(self, first: int) -> Iterable[Group]:
        if not self._keep or first > 0:
            epoch = self.sampler.epoch if self.sampler.training else None
            return self.make.groups(islice(self.sampler, first, None), epoch)
        # An in-place change of a kept batch would stay. torch counts such changes, except for inference tensors.
        if not self._kept or self._versions != _versions(self._kept):
            with torch.inference_mode(False):
                self._kept = list(self.make.groups(self.sampler))
            self._versions = _versions(self._kept)
        return self._kept

    def state_dict(self) -> dict[str, int]:
        """Returns the position in the epoch, for a checkpoint."""
        return dict(self._yielded)

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Starts the next iteration at this position, if its epoch is the same."""
        self._resumed = state


def _versions(groups: list[Group]) -> list[int]:
    return [part._version for inputs, targets, _ in groups for part in (inputs, targets)]

"""Batches from arrays: the order, the share of each device, one gather for a group of batches."""

from collections.abc import Callable, Iterator
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from lit_cnn.data.arrays import Arrays, Selection
from lit_cnn.transforms.draws import permutation
from lit_cnn.transforms.placement import Place, put

# How large a group of batches is made at once, in bytes of float32 inputs. On a CPU, of 1 to 32 MB, this was fastest:
# smaller groups make more calls, larger ones leave the cache.
GROUP_BYTES = 6 * 2**20

# Images are put in their places in larger groups, in bytes as they are stored: that takes many short calls, and their
# bytes are a quarter of what they are as float32. On a CPU, with crop and flip of CIFAR-10, 12 MB took .7 to .8 of the
# time of a batch group's 1.5 MB.
PLACED_BYTES = 12 * 2**20

# Evaluation batches are the same every time, and kept as prepared up to this size, in bytes of float32 inputs: 10,000
# images of CIFAR-10 take 123 MB. Preparing them anew takes a third of a small network's validation
# (`python scripts/bench.py evaluation`).
KEPT_BYTES = 2**27

Prepared = tuple[Tensor, Tensor, list[int]]  # inputs and targets of several batches, and the size of each


class RawBatch(NamedTuple):
    """A batch as it lies in memory, before it is moved to the device and preprocessed."""

    images: Shaped[Tensor, "b c h w"]
    labels: Int64[Tensor, "b"]
    indices: Int64[Tensor, "b"]
    done: int = 0  # augmentations that have been applied

    def each(self, change: Callable[[Tensor], Tensor]) -> "RawBatch":
        """Returns the batch with its images, labels and indices changed."""
        return RawBatch(change(self.images), change(self.labels), change(self.indices), self.done)

    def placed(self, place: Place) -> Shaped[Tensor, "b c h w"]:
        """Returns the images in their places."""
        return put(self.images, place)


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


class ArrayLoader:
    """Yields batches as the network takes them, gathered, moved and prepared several at a time.

    A step of a small network takes less than the dozen calls that prepare its batch. So a group of batches is made
    by the same calls as one, and cut: the same values, at a fraction of the cost.

    Args:
        arrays: The images and labels, in main memory or in the device's.
        sampler: Which images make up which batch. Lightning tells it the epoch by this attribute's name.
        prepare: From a raw batch, and the epoch if images are augmented, to network inputs and targets.
        device: Where batches are prepared and wanted.
        keep: Keep the prepared batches of an evaluation for the next one, if they are few enough.
        place: From images of the CPU's memory, and the epoch, to a raw batch of them in their places, if they have
            any; it is called with more of them at a time than `prepare`.

    Attributes:
        contiguous: Whether inputs come in the order of their axes, else in channels_last memory, in which they are
            made, and which convolutions are fastest with.
    """

    batch_sampler = None  # Lightning asks for it wherever there is a sampler

    def __init__(
        self,
        arrays: Arrays,
        sampler: BatchOrder,
        prepare: Callable[[RawBatch | Selection, int | None], tuple[Tensor, Tensor]],
        device: torch.device | str = "cpu",
        keep: bool = False,
        place: Callable[[Selection, int], RawBatch] | None = None,
    ):
        self.arrays = arrays
        self.sampler = sampler
        self.prepare = prepare
        self.place = place
        self.contiguous = False
        self.device = torch.device(device)
        pixels = arrays.stored_images[:1].numel()
        self._yielded = {"epoch": 0, "batches": 0}
        self._resumed: dict[str, int] | None = None
        self._at_once = max(1, GROUP_BYTES // (4 * pixels * sampler.batch_size))
        self._placed_at_once = max(1, PLACED_BYTES // (arrays.stored_images[:1].nbytes * sampler.batch_size))
        self._keep = keep and not sampler.training and 4 * pixels * len(arrays) <= KEPT_BYTES
        self._kept: list[Prepared] = []
        self._versions: list[int] = []

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        epoch = self.sampler.epoch if self.sampler.training else None
        resumed, self._resumed = self._resumed, None
        first = resumed["batches"] if resumed and resumed["epoch"] == self.sampler.epoch else 0
        self._yielded = {"epoch": self.sampler.epoch, "batches": first}
        for inputs, targets, sizes in self._prepared_groups(first, epoch):
            inputs = inputs.contiguous() if self.contiguous else inputs
            for batch in zip(inputs.split(sizes), targets.split(sizes), strict=True):
                self._yielded["batches"] += 1
                yield batch

    def _prepared_groups(self, first: int, epoch: int | None) -> Iterator[Prepared]:
        if self._keep and first == 0:
            yield from self._kept_groups()
        else:
            yield from ((*self.prepare(raw, epoch), sizes) for raw, sizes in self._raw_groups(first, epoch))

    def _kept_groups(self) -> list[Prepared]:
        # Who works in place on a batch changes what is kept; torch counts that, though not for tensors of inference.
        if not self._kept or self._versions != _versions(self._kept):
            with torch.inference_mode(False):
                self._kept = [(*self.prepare(raw, None), sizes) for raw, sizes in self._raw_groups(0, None)]
            self._versions = _versions(self._kept)
        return self._kept

    def state_dict(self) -> dict[str, int]:
        """Returns how far the epoch has come, for a checkpoint."""
        return dict(self._yielded)

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Has the next iteration go on from there, if it is of the same epoch."""
        self._resumed = state

    def _raw_groups(self, first: int, epoch: int | None) -> Iterator[tuple[RawBatch | Selection, list[int]]]:
        """Yields groups of batches where they are to be prepared, from the first one wanted on, and their sizes."""
        if not self.arrays.device.type == self.device.type == "cpu":
            for indices, sizes in self._groups(first, self._at_once):
                raw = RawBatch(*self.arrays.gather(indices.to(self.arrays.device)), indices)
                yield self._moved(raw), sizes
        elif self.place is None or epoch is None:
            for indices, sizes in self._groups(first, self._at_once):
                yield Selection(self.arrays, indices), sizes  # copied by the first that changes them
        else:
            for indices, sizes in self._groups(first, self._placed_at_once):
                yield from self._parts(self.place(Selection(self.arrays, indices), epoch), sizes)

    def _groups(self, first: int, at_once: int) -> Iterator[tuple[Int64[Tensor, "g"], list[int]]]:
        order = islice(self.sampler, first, None)
        while group := list(islice(order, at_once)):
            yield torch.cat(group), [len(part) for part in group]

    def _parts(self, placed: RawBatch, sizes: list[int]) -> Iterator[tuple[RawBatch, list[int]]]:
        start = 0
        for i in range(0, len(sizes), self._at_once):
            of_part = sizes[i : i + self._at_once]
            part = slice(start, start + sum(of_part))
            yield placed.each(itemgetter(part)), of_part
            start = part.stop

    def _moved(self, raw: RawBatch) -> RawBatch:
        if self.device.type == "cuda" and raw.images.device.type == "cpu":  # the copy then runs beside the network
            raw = raw.each(Tensor.pin_memory)
        return raw.each(lambda part: part.to(self.device, non_blocking=True))


def _versions(groups: list[Prepared]) -> list[int]:
    return [part._version for inputs, targets, _ in groups for part in (inputs, targets)]


def takes_channels_last(trainer: Any) -> bool:
    """Whether a run goes on of a network that takes batches in channels_last memory, as ours do.

    Others may take images apart by `view`, which a plain DataLoader's batches let them.
    """
    running = trainer is not None and trainer.state.status == "running"
    return running and getattr(trainer.lightning_module, "channels_last", False)

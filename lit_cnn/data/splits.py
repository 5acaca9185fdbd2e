"""The split of a dataset into training, validation and test images: stratified, seeded, and with groups kept together.

A split depends only on (labels, seed, groups). Without groups, each image is its own group.
"""

import re
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from lit_cnn.errors import ConfigError, DataError, counted, printable
from lit_cnn.keyed_random import permutation

Positions = Int64[Tensor, "m"]


@dataclass(frozen=True)
class Split:
    """Sizes of the parts drawn from the training images: numbers of images, or shares below 1."""

    val_size: int | float = 0
    test_size: int | float = 0
    train_size: int | None = None  # training images; None for all that are left
    fold: tuple[int, int] | None = None  # (2, 5): test with the second of five equal parts; replaces test_size
    seed: int = 0

    @property
    def draws_test(self) -> bool:
        """Whether test images are drawn."""
        return bool(self.fold or self.test_size)

    def draw(
        self, labels: Int64[Tensor, "n"], groups: Int64[Tensor, "n"] | None = None, at_least: int = 0
    ) -> dict[str, Positions]:
        """Returns the positions of the parts train and val, and of test if it is drawn; see `stratified_split`."""
        parts: dict[str, Positions] = {}
        rest = torch.arange(len(labels))
        if self.fold is not None:
            number, count = self.fold
            folds = stratified_folds(labels, count, self.seed, groups)
            parts["test"], rest = rest[folds == number - 1], rest[folds != number - 1]
        elif self.test_size:
            held_out = number_held_out(self.test_size, len(labels), "test_size")
            rest, parts["test"] = stratified_split(labels, held_out, self.seed, "test", groups, at_least)
        held_out = number_held_out(self.val_size, len(rest))
        of_rest = None if groups is None else groups[rest]
        kept, held = stratified_split(labels[rest], held_out, self.seed, "split", of_rest, at_least)
        if self.train_size is not None:
            if self.train_size > len(kept):
                raise ConfigError(f"`train_size` is {self.train_size}, but there are only {len(kept)} training images.")
            kept = kept[stratified_split(labels[rest[kept]], self.train_size, self.seed, "train")[1]]
        return {"train": rest[kept], "val": rest[held], **parts}


def number_held_out(size: int | float, images: int, name: str = "val_size") -> int:
    """Returns how many images to hold out; ConfigError if these are all images, or if a positive size gives none."""
    held_out = int(size if size >= 1 else round(size * images))
    if held_out >= images:
        raise ConfigError(f"`{name}` is {held_out}, but there are only {images} training images.")
    if size and not held_out:
        raise ConfigError(
            f"`{name}` is {size}, which is less than one of {images} training images. Use a larger share, or 0."
        )
    return held_out


def check_size(name: str, size: int | float) -> None:
    """Raises a ConfigError if a size is neither a number of images nor a share."""
    if size < 0 or (isinstance(size, float) and size >= 1 and not size.is_integer()):
        raise ConfigError(f"`{name}` has to be a number of images, or a share from 0 up to 1, but got {size}.")


def fold_of(text: str) -> tuple[int, int]:
    """Returns (2, 5) for "2 of 5"; ConfigError for a text of another form."""
    found = re.fullmatch(r"(\d+) of (\d+)", text.strip())
    number, count = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= count or count < 2:
        raise ConfigError(f"`fold` has to be like '1 of 5', but got {text!r}.")
    return number, count


def stratified_split(
    labels: Int64[Tensor, "n"],
    held_out: int,
    seed: int,
    purpose: str = "split",
    groups: Int64[Tensor, "n"] | None = None,
    at_least: int = 0,
) -> tuple[Positions, Positions]:
    """Returns positions to train on and positions to hold out, with equal shares of each class.

    Args:
        labels: The class of each image.
        held_out: Number of images to hold out; with groups, approximately.
        seed: Seed of the draw.
        purpose: What the split is for; draws for other purposes are independent.
        groups: Group number of each image; groups are not divided.
        at_least: Smallest number of each class's images in either part, 0 or 1, where the class has two groups or more.
    """
    quota = _quotas(torch.bincount(labels), held_out, at_least)
    shuffled = permutation(len(labels), seed, purpose)
    if groups is None:
        of_class = [shuffled[labels[shuffled] == c] for c in range(len(quota))]
        held = torch.cat([positions[:q] for positions, q in zip(of_class, quota, strict=True)])
    else:
        held = _whole_groups(labels.numpy(), groups.numpy(), quota.numpy(), shuffled.numpy(), at_least)
    kept = torch.ones(len(labels), dtype=torch.bool)
    kept[held] = False
    return kept.nonzero().flatten(), held.sort().values


def _quotas(counts: Int64[Tensor, "k"], held_out: int, at_least: int) -> Int64[Tensor, "k"]:
    """Returns how many images of each class to hold out: its share, but at least `at_least`."""
    exact = counts * held_out / counts.sum()
    quota = exact.floor().long()
    most_cut_off = (exact - quota).argsort(descending=True, stable=True)
    quota[most_cut_off[: held_out - int(quota.sum())]] += 1  # largest remainders, so that the sum is exact
    if held_out and at_least:
        quota = quota.clamp(min=at_least).minimum((counts - 1).clamp(min=0))
        while quota.sum() > held_out and quota.max() > 1:
            quota[quota.argmax()] -= 1
    return quota


def _whole_groups(
    labels: np.ndarray, groups: np.ndarray, quota: np.ndarray, shuffled: np.ndarray, at_least: int
) -> Positions:
    """Holds out groups in their order: first groups that bring each class nearer to its quota, then small groups."""
    members = _members(groups)
    order = list(dict.fromkeys(groups[shuffled].tolist()))
    classes = {group: np.bincount(labels[members[group]], minlength=len(quota)) for group in order}
    taken, total = np.zeros_like(quota), np.bincount(labels, minlength=len(quota))
    held: dict[int, None] = {}
    for group in order:
        if (classes[group] <= 2 * (quota - taken)).all():
            taken += classes[group]
            held[group] = None
    for c in np.flatnonzero(quota) if at_least else ():
        if not taken[c]:
            own = [group for group in order if classes[group][c] and group not in held]
            # Each class needs training images.
            spare = [group for group in own if (taken + classes[group] < total)[classes[group] > 0].all()]
            if spare:
                group = min(spare, key=lambda group: len(members[group]))
                taken += classes[group]
                held[group] = None
    return torch.from_numpy(np.concatenate([members[g] for g in held] or [np.empty(0, np.int64)])).long()


def _members(groups: np.ndarray) -> dict[int, np.ndarray]:
    order = np.argsort(groups, kind="stable")
    numbers, starts = np.unique(groups[order], return_index=True)
    return dict(zip(numbers.tolist(), np.split(order, starts[1:]), strict=True))


def stratified_folds(
    labels: Int64[Tensor, "n"], folds: int, seed: int, groups: Int64[Tensor, "n"] | None = None
) -> Int64[Tensor, "n"]:
    """Returns the fold of each image, from 0 on, with equal shares of each class and groups kept together."""
    shuffled = permutation(len(labels), seed, "folds")
    if groups is None:
        by_class = shuffled[labels[shuffled].argsort(stable=True)]
        return torch.empty_like(labels).scatter_(0, by_class, torch.arange(len(labels)) % folds)
    members, classes = _members(groups.numpy()), labels.numpy()
    order = list(dict.fromkeys(groups[shuffled].tolist()))
    counts = np.zeros((int(labels.max()) + 1, folds), np.int64)
    found = np.empty(len(labels), np.int64)
    for group in sorted(order, key=lambda group: -len(members[group])):  # large groups first; small ones fill the gaps
        own = np.bincount(classes[members[group]], minlength=len(counts))
        fold = int(np.lexsort((counts.sum(0), own @ counts))[0])
        found[members[group]] = fold
        counts[:, fold] += own
    return torch.from_numpy(found)


def check_classes(
    labels: Int64[Tensor, "n"], groups: Int64[Tensor, "n"] | None, class_names: list[str], drawn: dict[str, str]
) -> None:
    """Raises a DataError if a class has too few images (or groups) to have one in each part.

    Args:
        labels: The class of each image.
        groups: Group number of each image, if some belong together.
        class_names: Names of the classes.
        drawn: The parts that are drawn, each with the setting that would turn it off.
    """
    parts = ["training", *({"val": "validation"}.get(part, part) for part in drawn)]
    units = torch.stack([labels, torch.arange(len(labels)) if groups is None else groups], 1).unique(dim=0)[:, 0]
    counts, images = (torch.bincount(of, minlength=len(class_names)) for of in (units, labels))
    few = (counts < len(parts)).nonzero().flatten().tolist()
    if few and len(parts) > 1:
        c = few[0]
        more = (
            f" (and {counted(len(few) - 1, 'other class has', 'other classes have')} too few)" if len(few) > 1 else ""
        )
        n = int(images[c])
        has = counted(n, "image")
        if n > int(counts[c]):
            has += f", but copies and groups (data.group_pattern) count as one, which leaves {int(counts[c])}"
        too_many = len(parts) - int(counts[c])
        settings = (" and " if too_many == len(drawn) else " or ").join(drawn.values())
        remedy = f"remove it, or use {settings}" if too_many <= len(drawn) else "or remove it"
        raise DataError(
            f"The class {printable(class_names[c])} has {has}{more}; {', '.join(parts[:-1])} and {parts[-1]} need one "
            f"each.\nAdd images of this class, {remedy}."
        )

"""Other views of a dataset, to ask what a network goes by: frequencies, amplitudes, colours, the place of the object.

A view changes all images of a dataset once, when they are read, before any augmentation; what it draws is a function of
its own seed, the split and the image's number. The fixed permutations of pixels are `PixelPermutation`'s.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from lit_cnn.keyed_random import Draws, key_of, permutation, random_bits
from lit_cnn.transforms.placement import Place, put
from lit_cnn.transforms.typed_arguments import TypedArguments

AT_ONCE = 1024  # images


class View(TypedArguments, ABC):
    """A fixed change of a dataset's images `[n, c, h, w]`: grey levels from 0 to 255 in, as bytes or floats, and out.

    Attributes:
        splits: The parts of the dataset that it changes.
        numbered: Whether it draws for each image, by its number in the dataset.
        earlier: Arguments that checkpoints and configs of earlier versions lack, with what they did.
    """

    splits: tuple[str, ...] = ("train", "test")
    numbered: bool = False
    earlier: dict[str, Any] = {}

    @property
    def floats(self) -> bool:
        """Whether it makes grey levels that no byte can hold, as float16."""
        return False

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        """Raises ValueError where images of this size and number of channels have no such view."""

    @abstractmethod
    def __call__(
        self, images: Shaped[Tensor, "b c h w"], indices: Int64[Tensor, "b"], split: str
    ) -> Shaped[Tensor, "b c h w"]:
        """Returns the images as they are to be seen.

        Args:
            images: Some of the dataset's images.
            indices: Their numbers in it.
            split: The part of it that they are of, "train" or "test".
        """


class ShuffleChannels(View):
    """Gives all images their colour channels in another order, the same for all; it takes no locality away.

    Args:
        seed: Seed of the order, apart from the run's.

    Example:
        >>> red = torch.tensor([255, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1)
        >>> int(ShuffleChannels()(red, torch.tensor([0]), "train")[0, 0, 0, 0])
        0
    """

    def __init__(self, seed: int = 0):
        self.seed = seed

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        """Raises ValueError for greyscale images."""
        if in_channels < 2:
            raise ValueError("ShuffleChannels needs images with several channels, but these have one. Leave it out.")

    def __call__(
        self, images: Shaped[Tensor, "b c h w"], indices: Int64[Tensor, "b"], split: str
    ) -> Shaped[Tensor, "b c h w"]:
        """Returns the images with their channels in that order."""
        return images.index_select(1, self.order(images.shape[1]).to(images.device))

    def order(self, channels: int) -> Int64[Tensor, "c"]:
        """Returns which channel comes to each place; never all to their own."""
        drawn = permutation(channels, self.seed, "channels")
        return drawn if (drawn != torch.arange(channels)).any() else drawn.roll(1)


class ShufflePixels(View):
    """Moves the pixels of each image by a permutation of its own: nothing is left but how many there are of each.

    The negative control of `permute`, which moves those of all images alike.

    Args:
        seed: Seed of the permutations, apart from the run's.

    Example:
        >>> images, indices = torch.arange(16, dtype=torch.uint8).view(1, 1, 4, 4), torch.tensor([7])
        >>> view = ShufflePixels()
        >>> bool((view.inverse(view(images, indices, "train"), indices, "train") == images).all())
        True
    """

    numbered = True

    def __init__(self, seed: int = 0):
        self.seed = seed

    def __call__(
        self, images: Shaped[Tensor, "b c h w"], indices: Int64[Tensor, "b"], split: str
    ) -> Shaped[Tensor, "b c h w"]:
        """Returns the images, each with its pixels in an order of its own."""
        return self._gather(images, self._orders(images, indices, split))

    def inverse(
        self, images: Shaped[Tensor, "b c h w"], indices: Int64[Tensor, "b"], split: str
    ) -> Shaped[Tensor, "b c h w"]:
        """Undoes it."""
        return self._gather(images, self._orders(images, indices, split).argsort(dim=1))

    def _orders(self, images: Tensor, indices: Tensor, split: str) -> Int64[Tensor, "b p"]:
        return numbered_bits(self.seed, "pixels", split, indices, images.shape[2:].numel()).argsort(dim=1, stable=True)

    @staticmethod
    def _gather(images: Tensor, orders: Tensor) -> Tensor:
        flat = images.flatten(2)
        return flat.gather(2, orders[:, None].expand_as(flat)).view_as(images)


class Translate(View):
    """Shifts each test image by up to some pixels in each direction, with black where nothing is; no training image.

    How much of its accuracy a network owes to where things stand.

    Args:
        pixels: The farthest shift, in pixels.
        seed: Seed of the shifts, apart from the run's.

    Example:
        >>> images = torch.ones(2, 1, 8, 8, dtype=torch.uint8)
        >>> bool((Translate(pixels=3)(images, torch.arange(2), "test") == 0).any())
        True
    """

    splits = ("test",)
    numbered = True

    def __init__(self, pixels: int = 4, seed: int = 0):
        if pixels < 1:
            raise ValueError(f"`pixels` is a number from 1 up, but got {pixels}.")
        self.pixels = pixels
        self.seed = seed

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        """Raises ValueError where nothing would be left of an image."""
        if self.pixels >= min(image_size):
            raise ValueError(
                f"`pixels` is {self.pixels}, but the images have {image_size[0]} x {image_size[1]} pixels. "
                "Take fewer than that."
            )

    def __call__(
        self, images: Shaped[Tensor, "b c h w"], indices: Int64[Tensor, "b"], split: str
    ) -> Shaped[Tensor, "b c h w"]:
        """Returns the images in their places."""
        draws = Draws(self.seed, 0, indices, f"Translate {split}")
        return put(images, Place(shift=draws.integer_pair("shift", self.pixels, self.pixels)))


def seen(images: Shaped[Tensor, "n c h w"], views: Sequence[View], split: str) -> Shaped[Tensor, "n c h w"]:
    """Returns all images of a split as some views show them, one view after the other."""
    views = [view for view in views if split in view.splits]
    if not views:
        return images
    kind = torch.float16 if any(view.floats for view in views) else images.dtype
    result = torch.empty_like(images, dtype=kind)
    for indices in torch.arange(len(images), device=images.device).split(AT_ONCE):
        part = images[indices[0] : indices[-1] + 1]
        for view in views:
            part = view(part, indices, split)
        result[indices[0] : indices[-1] + 1] = part
    return result


def settings_of(view: View) -> dict[str, Any]:
    """Returns what a checkpoint keeps of a view: the name of its class, and its arguments."""
    return {"view": type(view).__name__, **vars(view)}


def completed(settings: dict[str, Any]) -> dict[str, Any]:
    """Returns a view's settings, with what those of earlier versions lack."""
    return {**getattr(_known().get(settings["view"]), "earlier", {}), **settings}


def view_of(settings: dict[str, Any]) -> View:
    """Undoes `settings_of`.

    Raises:
        ValueError: If its class is not known here.
    """
    given = completed(settings)
    name = given.pop("view")
    if name not in _known():
        raise ValueError(f"The images were seen through {name}, which is not known here. Import its module first.")
    view: View = _known()[name](**given)
    return view


def _known() -> dict[str, Any]:
    return {cls.__name__: cls for cls in _subclasses(View)}


def _subclasses(cls: type) -> list[type]:
    children: list[type] = cls.__subclasses__()
    return [c for child in children for c in (child, *_subclasses(child))]


def numbered_bits(seed: int, what: str, split: str, indices: Int64[Tensor, "b"], n: int) -> Int64[Tensor, "b n"]:
    """Returns n random numbers of 64 bits for each image."""
    counters = indices[:, None] * n + torch.arange(n, device=indices.device)
    return random_bits(key_of(seed, what, split), counters)

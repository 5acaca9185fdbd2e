"""Views: fixed changes of all images of a dataset, to test what a network relies on.

A view changes images once, when they are read. Its random draws depend only on its own seed, the split and the index.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from lit_cnn.keyed_random import Draws, key_of, permutation, random_bits
from lit_cnn.transforms.arguments import check_number
from lit_cnn.transforms.placement import Place, put
from lit_cnn.typed_arguments import TypedArguments, subclasses_of

AT_ONCE = 1024  # images

Images = Shaped[Tensor, "b c h w"]


class View(TypedArguments, ABC):
    """Base class of views: a fixed change of images `[n, c, h, w]`, with grey levels 0 to 255 as bytes or floats."""

    splits: tuple[str, ...] = ("train", "test")  # splits that the view changes
    numbered: bool = False  # whether it has random draws for each image, by the index in the dataset
    earlier: dict[str, Any] = {}  # values of arguments that checkpoints and configs of earlier versions lack

    @property
    def floats(self) -> bool:
        """Whether it returns float16 grey levels instead of bytes."""
        return False

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        """Raises ValueError if the view does not work for this image size and number of channels."""

    @abstractmethod
    def __call__(self, images: Images, indices: Int64[Tensor, "b"], split: str) -> Images:
        """Returns some of the dataset's images, changed; the split is "train" or "test"."""


class ShuffleChannels(View):
    """Shuffles the colour channels, in the same way for all images; this does not change locality.

    Args:
        seed: Seed of the order, independent of the run's seed.

    Example:
        >>> ShuffleChannels().order(3).tolist()
        [2, 0, 1]
    """

    def __init__(self, seed: int = 0):
        self.seed = seed

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        if in_channels < 2:
            raise ValueError("ShuffleChannels needs images with several channels, but these have one. Remove it.")

    def __call__(self, images: Images, indices: Int64[Tensor, "b"], split: str) -> Images:
        return images.index_select(1, self.order(images.shape[1]).to(images.device))

    def order(self, channels: int) -> Int64[Tensor, "c"]:
        """Returns the new order of the channels; never the old one."""
        drawn = permutation(channels, self.seed, "channels")
        return drawn if (drawn != torch.arange(channels)).any() else drawn.roll(1)


class ShufflePixels(View):
    """Permutes the pixels of each image differently, which keeps only its histogram.

    The negative control of `permute`, which permutes all images in the same way.

    Args:
        seed: Seed of the permutations, independent of the run's seed.

    Example:
        >>> images, indices = torch.arange(9).view(1, 1, 3, 3), torch.tensor([7])
        >>> ShufflePixels()(images, indices, "train").flatten()
        tensor([2, 0, 3, 7, 4, 6, 5, 8, 1])
    """

    numbered = True

    def __init__(self, seed: int = 0):
        self.seed = seed

    def __call__(self, images: Images, indices: Int64[Tensor, "b"], split: str) -> Images:
        return self._gather(images, self._orders(images, indices, split))

    def inverse(self, images: Images, indices: Int64[Tensor, "b"], split: str) -> Images:
        """Undoes the permutations."""
        return self._gather(images, self._orders(images, indices, split).argsort(dim=1))

    def _orders(self, images: Tensor, indices: Tensor, split: str) -> Int64[Tensor, "b p"]:
        return numbered_bits(self.seed, "pixels", split, indices, images.shape[2:].numel()).argsort(dim=1, stable=True)

    @staticmethod
    def _gather(images: Tensor, orders: Tensor) -> Tensor:
        flat = images.flatten(2)
        return flat.gather(2, orders[:, None].expand_as(flat)).view_as(images)


class Translate(View):
    """Shifts each test image by a random number of pixels, with black borders; training images stay as they are.

    It shows how much a network relies on the position of the object.

    Args:
        pixels: Largest shift in each direction, in pixels.
        seed: Seed of the shifts, independent of the run's seed.

    Example:
        >>> views = [Translate(pixels=3)]  # for any data module
    """

    splits = ("test",)
    numbered = True

    def __init__(self, pixels: int = 4, seed: int = 0):
        self.pixels = check_number(self, "pixels", pixels, "a number from 1 up", 1)
        self.seed = seed

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        if self.pixels >= min(image_size):
            raise ValueError(
                f"`pixels` is {self.pixels}, but the images have {image_size[0]} x {image_size[1]} pixels. Use fewer."
            )

    def __call__(self, images: Images, indices: Int64[Tensor, "b"], split: str) -> Images:
        draws = Draws(self.seed, 0, indices, f"Translate {split}")
        return put(images, Place(shift=draws.integer_pair("shift", self.pixels, self.pixels)))


def seen(images: Shaped[Tensor, "n c h w"], views: Sequence[View], split: str) -> Shaped[Tensor, "n c h w"]:
    """Applies views to all images of a split, one after the other."""
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
    """Returns the settings of a view for a checkpoint: its class name and arguments."""
    return {"view": type(view).__name__, **vars(view)}


def completed(settings: dict[str, Any]) -> dict[str, Any]:
    """Returns a view's settings, with the arguments that earlier versions lack."""
    return {**getattr(_known().get(settings["view"]), "earlier", {}), **settings}


def view_of(settings: dict[str, Any]) -> View:
    """Builds a view from its settings. Raises ValueError if its class is not known here."""
    given = completed(settings)
    name = given.pop("view")
    if name not in _known():
        raise ValueError(f"The images were seen through {name}, which lit_cnn does not know. Import its module first.")
    view: View = _known()[name](**given)
    return view


def _known() -> dict[str, Any]:
    return {cls.__name__: cls for cls in subclasses_of(View)}


def numbered_bits(seed: int, what: str, split: str, indices: Int64[Tensor, "b"], n: int) -> Int64[Tensor, "b n"]:
    """Returns n random 64-bit numbers for each image."""
    counters = indices[:, None] * n + torch.arange(n, device=indices.device)
    return random_bits(key_of(seed, what, split), counters)

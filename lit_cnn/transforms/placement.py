"""Random crop, shift and flip: augmentations that move whole pixels; several of them need only one copy."""

import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Int64, Shaped
from torch import Tensor

from lit_cnn.keyed_random import Draws
from lit_cnn.transforms.arguments import check_number, check_probability
from lit_cnn.transforms.augment import Augmentation

PaddingMode = Literal["zeros", "reflect"]


@dataclass(frozen=True)
class Place:
    """How the images of a batch are moved: first flipped left to right, then shifted down and to the right."""

    mirrored: Bool[Tensor, "b"] | None = None  # which images are flipped; None if none is
    shift: tuple[Int64[Tensor, "b"], Int64[Tensor, "b"]] | None = None  # in pixels; None if none is shifted
    reflect: bool = False  # fill the border behind a shift with its mirror image, without the edge; if false, with 0

    def then(self, other: "Place") -> "Place | None":
        """Returns both moves in one; None for two shifts, since the second cannot bring back what the first cut off."""
        if self.shift is not None and other.shift is not None:
            return None
        shift, mirrored = self.shift or other.shift, self.mirrored
        if other.mirrored is not None:
            mirrored = other.mirrored if mirrored is None else mirrored ^ other.mirrored
            if self.shift is not None:
                down, right = self.shift
                shift = down, torch.where(other.mirrored, -right, right)
        return Place(mirrored, shift, self.reflect or other.reflect)  # only one of them has a shift


class Placement(Augmentation):
    """Base of the augmentations that move whole pixels."""

    takes_floats = True

    @abstractmethod
    def draw(self, draws: Draws) -> Place:
        """Draws the flip and shift of each image."""

    def __call__(self, images: Shaped[Tensor, "b c h w"], draws: Draws) -> Shaped[Tensor, "b c h w"]:
        return put(images, self.draw(draws))


def put(images: Shaped[Tensor, "b c h w"], place: Place) -> Shaped[Tensor, "b c h w"]:
    """Returns the images flipped and shifted; new pixels at the border are 0 or reflected."""
    if place.mirrored is None and place.shift is None:
        return images
    if images.device.type != "cpu":
        return _put_pixels(images, place)
    return put_from(images.permute(0, 2, 3, 1).contiguous(), torch.arange(len(images)), place)


def _put_pixels(images: Tensor, place: Place) -> Tensor:
    b, _, h, w = images.shape
    rows = torch.arange(h, device=images.device).expand(b, h)
    columns = torch.arange(w, device=images.device).expand(b, w)
    inside = None
    if place.shift is not None:
        rows, columns = rows - place.shift[0][:, None], columns - place.shift[1][:, None]
        if place.reflect:
            rows, columns = _reflected(rows, h), _reflected(columns, w)
        else:
            inside = ((rows >= 0) & (rows < h))[:, :, None, None] & ((columns >= 0) & (columns < w))[:, None, :, None]
            rows, columns = rows.clamp(0, h - 1), columns.clamp(0, w - 1)
    if place.mirrored is not None:
        columns = torch.where(place.mirrored[:, None], w - 1 - columns, columns)
    batch = torch.arange(b, device=images.device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None]]
    return (moved if inside is None else moved * inside).permute(0, 3, 1, 2)


def put_from(
    memory: Shaped[Tensor, "n h w c"], positions: Int64[Tensor, "b"], place: Place
) -> Shaped[Tensor, "b c h w"]:
    """Returns flipped and shifted copies of the images at these positions of contiguous memory, on the CPU.

    In memory a shifted image is one sequence of bytes that begins some bytes before or after the image. So gathering
    and shifting are one copy. Pixels of neighbouring images are set to 0. An index for each pixel is much slower.
    """
    (n, h, w, c), b = memory.shape, len(positions)
    pixel = c * memory.element_size()
    starts = positions * (h * w)
    right = None
    if place.shift is not None:
        down, right = place.shift
        if place.mirrored is not None:  # here the shift comes before the flip, with the same draws
            right = torch.where(place.mirrored, -right, right)
        starts = starts - down * w - right
    last = (n - 1) * h * w
    windows = memory.view(-1).view(torch.uint8).as_strided((last + 1, h * w * pixel), (pixel, 1))
    all_within = b == 0 or (int(starts.min()) >= 0 and int(starts.max()) <= last)
    moved = windows.index_select(0, starts if all_within else starts.clamp(0, last))
    if right is not None:
        if not all_within:  # the first and last images may reach beyond the memory
            outside = ((starts < 0) | (starts > last)).nonzero().flatten()
            framed = torch.zeros(len(outside) + 2, h, w, c, dtype=memory.dtype)
            framed[1:-1] = memory[positions[outside]]
            inner = torch.arange(1, len(outside) + 1)
            put_there = put_from(framed, inner, Place(shift=(down[outside], right[outside])))
            moved[outside] = put_there.permute(0, 2, 3, 1).reshape(len(outside), -1).view(torch.uint8)
        if place.reflect:
            _reflect_borders(moved.numpy().view(f"V{pixel}").reshape(b, h, w), down.numpy(), right.numpy())
        else:
            words = _words(moved.view(b, h, w * pixel))
            words &= _columns_inside(w, pixel).index_select(0, right + w)[:, None]
            beyond = np.flatnonzero(_rows_beyond(h).index_select(0, down + h).numpy())
            row = f"V{w * pixel}"
            moved.numpy().view(row).reshape(-1)[beyond] = np.zeros((), row)
    if place.mirrored is not None:
        turned = place.mirrored.nonzero().flatten()
        # Reverse all pixels, then all rows: five times as fast as reversing the pixels of each row.
        upside_down = moved.index_select(0, turned).view(-1, h * w, pixel).flip(1)
        mirror_images = _words(upside_down.view(-1, h, w * pixel)).flip(1).numpy()
        whole = f"V{h * w * pixel}"
        moved.numpy().view(whole).reshape(-1)[turned.numpy()] = mirror_images.reshape(-1).view(whole)
    return moved.view(memory.dtype).view(b, h, w, c).permute(0, 3, 1, 2)


def _reflected(positions: Int64[Tensor, "*n"], size: int) -> Int64[Tensor, "*n"]:
    """Returns positions beyond the first and the last one reflected at these."""
    return size - 1 - (size - 1 - positions.abs()).abs()


def _reflect_borders(images: np.ndarray[Any, Any], down: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> None:
    """Overwrites the pixels that came from beyond an image, `[b, h, w]`, by the reflection of those beside them.

    All images with the same shift are done together. The border of s pixels mirrors the s pixels beside the edge of the
    image. These are visible, since `check` allows only shifts of less than half an image.
    """
    for shifts, by_axis in ((right, images), (down, images.swapaxes(1, 2))):
        for shift in np.unique(shifts[shifts != 0]):
            view = by_axis if shift > 0 else by_axis[:, :, ::-1]
            s = abs(int(shift))
            of_it = np.flatnonzero(shifts == shift)
            view[of_it, :, :s] = view[of_it, :, 2 * s : s : -1]


def _beyond(size: int) -> Bool[Tensor, "s {size}"]:
    """Returns which rows or columns come from outside of the image, for each shift from -size to size."""
    source = torch.arange(size) - torch.arange(-size, size + 1)[:, None]
    return (source < 0) | (source >= size)


_rows_beyond = lru_cache(_beyond)


@lru_cache
def _columns_inside(size: int, pixel: int) -> Tensor:
    return _words((_beyond(size).to(torch.int8) - 1).repeat_interleave(pixel, dim=1))


def _words(memory: Tensor) -> Tensor:
    """Returns a view of the memory as the longest integers that fit its rows: to copy fewer numbers is faster."""
    bytes_in_row = memory.shape[-1] * memory.element_size()
    kinds = {8: torch.int64, 4: torch.int32, 2: torch.int16, 1: torch.int8}
    return memory.view(kinds[math.gcd(bytes_in_row, 8)])


SHIFT = "a number of pixels from 0 up"


def _check_in_sight(owner: Any, name: str, pixels: int, size: int, image_size: tuple[int, int]) -> None:
    if owner.reflect and 2 * pixels >= size:
        raise ValueError(
            f"{type(owner).__name__} can reflect less than half of an image, but `{name}` is {pixels}, and the images "
            f"have {image_size[0]} x {image_size[1]} pixels. Use at most {(size - 1) // 2}."
        )
    if pixels >= size:
        raise ValueError(
            f"{type(owner).__name__}'s `{name}` of {pixels} could move the whole image of "
            f"{image_size[0]} x {image_size[1]} pixels out of sight. Use less than {size}."
        )


class RandomCrop(Placement):
    """Random crop with padding: pads each image and crops it to its size at a random place.

    Args:
        padding: Pixels added on each side, the largest shift along each axis.
        padding_mode: What is added: zeros, black pixels; or reflect, the image's own border reflected.

    Example:
        >>> augment = [RandomCrop(4)]  # for any data module
    """

    def __init__(self, padding: int = 4, padding_mode: PaddingMode = "zeros"):
        self.padding = check_number(self, "padding", padding, SHIFT, 0)
        self.reflect = padding_mode == "reflect"

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        _check_in_sight(self, "padding", self.padding, min(image_size), image_size)

    def draw(self, draws: Draws) -> Place:
        """Shifts each image by -padding to +padding pixels along both axes."""
        return Place(shift=draws.integer_pair("shift", self.padding, self.padding), reflect=self.reflect)


class RandomShift(Placement):
    """Random shift by whole pixels.

    Args:
        down: Largest shift down or up, in pixels.
        right: Largest shift right or left, in pixels.
        padding_mode: New pixels at the border: zeros, black; or reflect, the image's own border reflected.

    Example:
        >>> augment = [RandomShift()]  # for any data module
    """

    def __init__(self, down: int = 2, right: int = 2, padding_mode: PaddingMode = "zeros"):
        self.down = check_number(self, "down", down, SHIFT, 0)
        self.right = check_number(self, "right", right, SHIFT, 0)
        self.reflect = padding_mode == "reflect"

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        _check_in_sight(self, "down", self.down, image_size[0], image_size)
        _check_in_sight(self, "right", self.right, image_size[1], image_size)

    def draw(self, draws: Draws) -> Place:
        """Shifts each image by up to `down` and `right` pixels."""
        return Place(shift=draws.integer_pair("shift", self.down, self.right), reflect=self.reflect)


class RandomFlip(Placement):
    """Random horizontal flip: mirrors each image left to right with a probability.

    Args:
        p: Probability of a flip, from 0 to 1.

    Example:
        >>> augment = [RandomFlip()]  # for any data module
    """

    def __init__(self, p: float = 0.5):
        self.p = check_probability(self, p)

    def draw(self, draws: Draws) -> Place:
        return Place(draws.uniform("coin") < self.p)


class AlternatingFlip(Placement):
    """Alternating flip: mirrors each image left to right in every second epoch, a random half of the images first.

    Two epochs show each image both ways; independent flips would show half of them twice the same way.
    Jordan 2024, https://arxiv.org/abs/2404.00498, section 3.6.

    Example:
        >>> augment = [AlternatingFlip()]  # for any data module
    """

    def draw(self, draws: Draws) -> Place:
        """Draws a flip for each image in the first epoch, and inverts it in each later one."""
        heads = replace(draws, epoch=0).uniform("coin") < 0.5
        return Place(heads if draws.epoch % 2 == 0 else ~heads)

"""Crops, shifts and mirror images: each image is put elsewhere, its pixels stay as they are.

A shift and mirror images beside it are drawn apart and then done at once, since moving the memory is what costs.
"""

import threading
from abc import abstractmethod
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Int64, Shaped, UInt8
from torch import Tensor

from lit_cnn.transforms.augment import Augmentation
from lit_cnn.transforms.draws import Draws


@dataclass(frozen=True)
class Place:
    """Where the images of a batch go: first mirrored left to right, then moved.

    Args:
        mirrored: Which images are mirrored; None if none is.
        shift: Pixels that each image is moved down and to the right; None if none is.
    """

    mirrored: Bool[Tensor, "b"] | None = None
    shift: tuple[Int64[Tensor, "b"], Int64[Tensor, "b"]] | None = None

    def then(self, other: "Place") -> "Place | None":
        """Returns what comes to the same as both, or None: what a shift has cut off, a second does not bring back."""
        if self.shift is not None and other.shift is not None:
            return None
        if self.mirrored is None or other.mirrored is None:
            mirrored = other.mirrored if self.mirrored is None else self.mirrored
        else:
            mirrored = self.mirrored ^ other.mirrored
        if self.shift is None or other.mirrored is None:
            return Place(mirrored, self.shift or other.shift)
        down, right = self.shift
        return Place(mirrored, (down, torch.where(other.mirrored, -right, right)))


class Placement(Augmentation):
    """An augmentation that puts each image elsewhere."""

    @abstractmethod
    def draw(self, draws: Draws) -> Place:
        """Draws where each image goes."""

    def __call__(self, images: UInt8[Tensor, "b c h w"], draws: Draws) -> UInt8[Tensor, "b c h w"]:
        """Puts each image where its draws say."""
        return put(images, self.draw(draws))


def put(images: Shaped[Tensor, "b c h w"], place: Place) -> Shaped[Tensor, "b c h w"]:
    """Returns the images in their places; what comes in at the border is 0."""
    if place.mirrored is None and place.shift is None:
        return images
    return _put_rows(images, place) if images.device.type == "cpu" else _put_pixels(images, place)


def _put_pixels(images: Tensor, place: Place) -> Tensor:
    b, _, h, w = images.shape
    rows = torch.arange(h, device=images.device).expand(b, h)
    columns = torch.arange(w, device=images.device).expand(b, w)
    inside = None
    if place.shift is not None:
        rows, columns = rows - place.shift[0][:, None], columns - place.shift[1][:, None]
        inside = ((rows >= 0) & (rows < h))[:, :, None, None] & ((columns >= 0) & (columns < w))[:, None, :, None]
        rows, columns = rows.clamp(0, h - 1), columns.clamp(0, w - 1)
    if place.mirrored is not None:
        columns = torch.where(place.mirrored[:, None], w - 1 - columns, columns)
    batch = torch.arange(b, device=images.device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None]]
    return (moved if inside is None else moved * inside).permute(0, 3, 1, 2)


def _put_rows(images: Tensor, place: Place) -> Tensor:
    """The same where the CPU moves memory: all images and the mirrored ones are laid out with a border of zeros, and
    each result is a window on them, of which every row is one run of bytes.

    NumPy copies such windows, wherever they start, with one memcpy a row; indices for each pixel, as above, took
    five times as long and more.
    """
    b, c, h, w = images.shape
    nhwc = images.permute(0, 2, 3, 1)
    source = torch.arange(b)
    turned = source[:0] if place.mirrored is None else place.mirrored.nonzero().flatten()
    down, right = (s.numpy() for s in place.shift or (torch.zeros_like(source),) * 2)
    top, left = int(np.abs(down).max()), int(np.abs(right).max())
    padded = _framed(b + len(turned), h, w, c, top, left, images.dtype)
    padded[:b, top : top + h, left : left + w] = nhwc
    if len(turned):  # mirroring is the slow part: only those that are to be
        padded[b:, top : top + h, left : left + w] = nhwc.contiguous().index_select(0, turned).flip(2)
        source.numpy()[turned.numpy()] = np.arange(b, len(padded))
    pixel, width = c * images.element_size(), w + 2 * left
    starts = (source.numpy() * (h + 2 * top) + top - down) * width + left - right
    memory = padded.view(-1).view(torch.uint8).numpy()
    last = len(memory) // pixel - (h - 1) * width - w
    windows = np.ndarray((last + 1, h), f"V{w * pixel}", memory, strides=(pixel, width * pixel))
    rows = torch.from_numpy(windows[starts].view(np.uint8))
    return rows.view(images.dtype).view(b, h, w, c).permute(0, 3, 1, 2)


_kept = threading.local()


def _framed(n: int, h: int, w: int, c: int, top: int, left: int, dtype: torch.dtype) -> Tensor:
    """Returns memory for n images in a frame of zeros, the same as the last time where it fits: it is still at hand."""
    key = (h, w, c, top, left, dtype)
    if getattr(_kept, "key", None) != key or len(_kept.memory) < n:
        _kept.key, _kept.memory = key, torch.zeros(n + n // 4, h + 2 * top, w + 2 * left, c, dtype=dtype)
    return _kept.memory[:n]


class RandomCrop(Placement):
    """Pads each image with zeros and crops it back to its size at a random place.

    Args:
        padding: Pixels added on each side, and so the largest shift along each axis.
    """

    def __init__(self, padding: int = 4):
        if padding < 0:
            raise ValueError(f"RandomCrop's `padding` is a number of pixels from 0 up, but got {padding}.")
        self.padding = padding

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        """Refuses a padding that could move an image out of sight."""
        if self.padding >= min(image_size):
            raise ValueError(
                f"RandomCrop's `padding` of {self.padding} could move a whole image of "
                f"{image_size[0]} x {image_size[1]} pixels out of sight. Use less than {min(image_size)}."
            )

    def draw(self, draws: Draws) -> Place:
        """Shifts each image by -padding to +padding pixels along both axes."""
        return Place(shift=draws.integer_pair("shift", self.padding, self.padding))


class RandomShift(Placement):
    """Moves each image by whole pixels, down or up and right or left; what comes in at the border is black.

    Args:
        down: Largest shift down and up, in pixels.
        right: Largest shift to the right and to the left, in pixels.
    """

    def __init__(self, down: int = 2, right: int = 2):
        for name, pixels in (("down", down), ("right", right)):
            if pixels < 0:
                raise ValueError(f"RandomShift's `{name}` is a number of pixels from 0 up, but got {pixels}.")
        self.down, self.right = down, right

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        """Refuses shifts that could move an image out of sight."""
        for name, pixels, size in (("down", self.down, image_size[0]), ("right", self.right, image_size[1])):
            if pixels >= size:
                raise ValueError(
                    f"RandomShift's `{name}` of {pixels} could move a whole image of "
                    f"{image_size[0]} x {image_size[1]} pixels out of sight. Use less than {size}."
                )

    def draw(self, draws: Draws) -> Place:
        """Shifts each image by its own draws."""
        return Place(shift=draws.integer_pair("shift", self.down, self.right))


class RandomFlip(Placement):
    """Mirrors each image left to right with a probability.

    Args:
        p: Probability of the mirror image, from 0 to 1.
    """

    def __init__(self, p: float = 0.5):
        if not 0 <= p <= 1:
            raise ValueError(f"RandomFlip's `p` is a probability from 0 to 1, but got {p}.")
        self.p = p

    def draw(self, draws: Draws) -> Place:
        """Tosses one coin for each image."""
        return Place(draws.uniform("coin") < self.p)


class AlternatingFlip(Placement):
    """Mirrors each image left to right in every second epoch, a random half of the images first.

    So that two epochs show each image both ways, where coins would show a quarter of them twice the same.
    Jordan 2024, https://arxiv.org/abs/2404.00498, section 3.6.
    """

    def draw(self, draws: Draws) -> Place:
        """Tosses one coin for each image in the first epoch, and turns them in each one that follows."""
        heads = replace(draws, epoch=0).uniform("coin") < 0.5
        return Place(heads if draws.epoch % 2 == 0 else ~heads)

"""Augmentations of whole batches, with draws of its own for each image."""

from abc import ABC, abstractmethod
from enum import IntEnum

import torch
from jaxtyping import Int64, Shaped, UInt8
from torch import Tensor

from lit_cnn.transforms.draws import Draws


class Stage(IntEnum):
    """The order of augmentations that makes sense by default, which is the one that the papers use.

    A scene is framed first, then its content changes, then its colours, as a camera would. Boxes come after
    that, since a box that is rotated or tinted is no longer what its paper describes, and images are mixed
    last, when each is what it would be alone.
    """

    GEOMETRY = 0
    POLICY = 1
    COLOUR = 2
    ERASING = 3
    MIXING = 4


class Augmentation(ABC):
    """A random change of training images: `uint8 [b, c, h, w]` in, the same out."""

    stage: Stage = Stage.GEOMETRY

    def learn(self, images: UInt8[Tensor, "n c h w"]) -> None:  # noqa: B027
        """Takes from all training images what the augmentation needs to know, before the first step."""

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:  # noqa: B027
        """Raises ValueError where images of this size and number of channels cannot be augmented so."""

    @abstractmethod
    def __call__(self, images: UInt8[Tensor, "b c h w"], draws: Draws) -> UInt8[Tensor, "b c h w"]:
        """Returns the augmented images, each by its own draws."""


def shift(
    images: Shaped[Tensor, "b c h w"], down: Int64[Tensor, "b"], right: Int64[Tensor, "b"]
) -> Shaped[Tensor, "b c h w"]:
    """Moves each image down and to the right by whole pixels; what comes in at the border is 0."""
    b, _, h, w = images.shape
    rows = torch.arange(h, device=images.device) - down[:, None]
    columns = torch.arange(w, device=images.device) - right[:, None]
    inside = ((rows >= 0) & (rows < h))[:, :, None] & ((columns >= 0) & (columns < w))[:, None, :]
    batch = torch.arange(b, device=images.device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[batch, rows.clamp(0, h - 1)[:, :, None], columns.clamp(0, w - 1)[:, None]]
    return (moved * inside[..., None]).permute(0, 3, 1, 2).contiguous()


class RandomCrop(Augmentation):
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

    def __call__(self, images: UInt8[Tensor, "b c h w"], draws: Draws) -> UInt8[Tensor, "b c h w"]:
        """Shifts each image by -padding to +padding pixels along both axes."""
        down = draws.integers("down", -self.padding, self.padding)
        right = draws.integers("right", -self.padding, self.padding)
        return shift(images, down, right)


class RandomFlip(Augmentation):
    """Mirrors each image left to right with a probability.

    Args:
        p: Probability of the mirror image, from 0 to 1.
    """

    def __init__(self, p: float = 0.5):
        if not 0 <= p <= 1:
            raise ValueError(f"RandomFlip's `p` is a probability from 0 to 1, but got {p}.")
        self.p = p

    def __call__(self, images: UInt8[Tensor, "b c h w"], draws: Draws) -> UInt8[Tensor, "b c h w"]:
        """Tosses one coin for each image."""
        heads = draws.uniform("coin") < self.p
        return torch.where(heads[:, None, None, None], images.flip(-1), images)


def augment(
    images: UInt8[Tensor, "b c h w"], augmentations: list[Augmentation], draws: Draws
) -> UInt8[Tensor, "b c h w"]:
    """Applies the augmentations in their order, each with draws of its own."""
    for position, augmentation in enumerate(augmentations):
        purpose = f"{type(augmentation).__name__} {position}"
        images = augmentation(images, Draws(draws.seed, draws.epoch, draws.indices, purpose))
    return images

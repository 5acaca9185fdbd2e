"""Base class and order of the augmentations, which change each image of a batch by its own random draws."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from jaxtyping import UInt8
from torch import Tensor

from lit_cnn.keyed_random import Draws
from lit_cnn.typed_arguments import TypedArguments

if TYPE_CHECKING:
    from lit_cnn.transforms.views import View

Images = UInt8[Tensor, "b c h w"]


class Stage(IntEnum):
    """The default order of augmentations, as in the papers.

    Geometry first, then content, then colours, as in a camera. Erasing comes later, since a rotated or tinted box would
    differ from the papers. Mixing comes last, when each image is complete.
    """

    GEOMETRY = 0
    POLICY = 1
    COLOUR = 2
    ERASING = 3
    MIXING = 4


class Augmentation(TypedArguments, ABC):
    """Base class of augmentations: a random change of training images, `uint8 [b, c, h, w]` in and out."""

    stage: Stage = Stage.GEOMETRY  # its place in the order
    takes_floats: bool = False  # whether it also works on the float16 grey levels of some views

    def learn(self, images: UInt8[Tensor, "n c h w"]) -> None:
        """Computes what the augmentation needs from all training images, before the first step."""

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        """Raises ValueError if images of this size and number of channels cannot be augmented."""

    @abstractmethod
    def __call__(self, images: Images, draws: Draws) -> Images:
        """Returns the augmented images; each image has its own random draws."""


def check_levels(views: "Sequence[View]", augmentations: Sequence[Augmentation]) -> None:
    """Raises ValueError if an augmentation needs whole grey levels, and a view returns floats."""
    floats = [type(view).__name__ for view in views if view.floats and "train" in view.splits]
    bytes_only = [type(augmentation).__name__ for augmentation in augmentations if not augmentation.takes_floats]
    if floats and bytes_only:
        raise ValueError(
            f"{bytes_only[0]} needs whole grey levels from 0 to 255, but {floats[0]} makes other values.\n"
            f"Remove one of them, or set `clip: true` for {floats[0]}, which rounds and clips the values."
        )

"""What every augmentation of whole batches is: a change of each image by draws of its own."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from jaxtyping import UInt8
from torch import Tensor

from lit_cnn.keyed_random import Draws
from lit_cnn.transforms.typed_arguments import TypedArguments

if TYPE_CHECKING:
    from lit_cnn.transforms.views import View


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


class Augmentation(TypedArguments, ABC):
    """A random change of training images: `uint8 [b, c, h, w]` in, the same out.

    Attributes:
        stage: Its place among others.
        takes_floats: Whether it works on the float16 grey levels of some views too.
    """

    stage: Stage = Stage.GEOMETRY
    takes_floats: bool = False

    def learn(self, images: UInt8[Tensor, "n c h w"]) -> None:
        """Takes from all training images what the augmentation needs to know, before the first step."""

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        """Raises ValueError where images of this size and number of channels cannot be augmented so."""

    @abstractmethod
    def __call__(self, images: UInt8[Tensor, "b c h w"], draws: Draws) -> UInt8[Tensor, "b c h w"]:
        """Returns the augmented images, each by its own draws."""


def check_levels(views: "Sequence[View]", augmentations: Sequence[Augmentation]) -> None:
    """Makes sure that the augmentations can work on the grey levels that the views make.

    Raises:
        ValueError: If one needs bytes, and does not get them.
    """
    floats = [type(view).__name__ for view in views if view.floats and "train" in view.splits]
    bytes_only = [type(augmentation).__name__ for augmentation in augmentations if not augmentation.takes_floats]
    if floats and bytes_only:
        raise ValueError(
            f"{bytes_only[0]} works on whole grey levels from 0 to 255, and {floats[0]} makes others.\n"
            f"Leave one of them out, or give {floats[0]} `clip: true`, which rounds them and cuts them off."
        )

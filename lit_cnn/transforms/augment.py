"""What every augmentation of whole batches is: a change of each image by draws of its own."""

from abc import ABC, abstractmethod

from jaxtyping import UInt8
from torch import Tensor

from lit_cnn.transforms.draws import Draws


class Augmentation(ABC):
    """A random change of training images: `uint8 [b, c, h, w]` in, the same out."""

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:  # noqa: B027
        """Raises ValueError where images of this size and number of channels cannot be augmented so."""

    @abstractmethod
    def __call__(self, images: UInt8[Tensor, "b c h w"], draws: Draws) -> UInt8[Tensor, "b c h w"]:
        """Returns the augmented images, each by its own draws."""

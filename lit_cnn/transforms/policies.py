"""RandAugment and TrivialAugment: random operations for each image."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from lit_cnn.keyed_random import Draws
from lit_cnn.transforms.arguments import check_channels, check_number
from lit_cnn.transforms.augment import Augmentation, Stage
from lit_cnn.transforms.operations import OPERATIONS, apply

STRONGEST = 30  # the largest magnitude in both papers
SIGNED = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast", "Sharpness")


class Ranges(NamedTuple):
    """The strengths of the operations at magnitude 30."""

    shear: float  # pixels per row or column
    translate: float  # pixels, or a share of the image's width or height
    share: bool  # whether `translate` is a share
    rotate: float  # degrees
    factor: float  # largest distance of the factors of brightness, colour, contrast and sharpness from 1
    posterize: int  # bits set to 0

    def strongest(self, h: int, w: int) -> list[float]:
        """Returns the strength of each operation, in the order of `OPERATIONS`."""
        right, down = (self.translate * (size if self.share else 1) for size in (w, h))
        geometry = [0.0, self.shear, self.shear, right, down, self.rotate]
        return [*geometry, *[self.factor] * 4, self.posterize, 255, 0, 0]


class _Policy(Augmentation):
    """Base of both policies: applies one of several operations to each image."""

    stage = Stage.POLICY
    ranges: Ranges

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        check_channels(self, in_channels, (1, 3))
        if min(image_size) < 3:
            raise ValueError(
                f"{type(self).__name__} needs images of at least 3 x 3 pixels, but these have "
                f"{image_size[0]} x {image_size[1]}. Take it away."
            )

    def apply(
        self,
        images: UInt8[Tensor, "b c h w"],
        choice: Int64[Tensor, "b"],
        magnitude: Float[Tensor, "b"] | float,
        backwards: Bool[Tensor, "b"],
    ) -> UInt8[Tensor, "b c h w"]:
        """Applies the chosen operation to each image, to some in the opposite direction."""
        device = images.device
        both_ways = torch.tensor([operation.name in SIGNED for operation in OPERATIONS], device=device)
        strongest = torch.tensor(self.ranges.strongest(*images.shape[-2:]), device=device)
        strength = strongest[choice] * (magnitude / STRONGEST)
        return apply(images, choice, torch.where(backwards & both_ways[choice], -strength, strength))


class RandAugment(_Policy):
    """RandAugment: applies several random operations of 14 to each image, all with one magnitude.

    Cubuk et al. 2020, https://arxiv.org/abs/1909.13719, with torchvision's operations and ranges: identity, shear,
    translation and rotation (nearest pixel), brightness, colour, contrast, sharpness, posterize, solarize,
    autocontrast, equalize. On greyscale the colour operation changes nothing.

    Args:
        num_ops: Number of operations for each image.
        magnitude: Strength of the operations, from 0 to 30.

    Example:
        >>> augment = [RandAugment()]  # for any data module
    """

    ranges = Ranges(shear=0.3, translate=150 / 331, share=True, rotate=30, factor=0.9, posterize=4)

    def __init__(self, num_ops: int = 2, magnitude: int = 9):
        self.num_ops = check_number(self, "num_ops", num_ops, "a number of operations from 1 up", 1)
        what = f"a number from 0 to {STRONGEST}"
        self.magnitude = check_number(self, "magnitude", magnitude, what, 0, STRONGEST)

    def __call__(self, images: UInt8[Tensor, "b c h w"], draws: Draws) -> UInt8[Tensor, "b c h w"]:
        for turn in range(self.num_ops):
            operation, coin = draws.uniforms(f"operation {turn}", f"coin {turn}")
            images = self.apply(images, (operation * len(OPERATIONS)).long(), self.magnitude, coin < 0.5)
        return images


class TrivialAugment(_Policy):
    """TrivialAugment (Wide): applies one random operation of 14 with a random magnitude; it has no parameters.

    Müller & Hutter 2021, https://arxiv.org/abs/2103.10158: with torchvision's operations and ranges, which are wider
    than RandAugment's. On greyscale the colour operation changes nothing.

    Example:
        >>> augment = [TrivialAugment()]  # for any data module
    """

    ranges = Ranges(shear=0.99, translate=32, share=False, rotate=135, factor=0.99, posterize=6)

    def __call__(self, images: UInt8[Tensor, "b c h w"], draws: Draws) -> UInt8[Tensor, "b c h w"]:
        operation, magnitude, coin = draws.uniforms("operation", "magnitude", "coin")
        magnitude = (magnitude * (STRONGEST + 1)).floor()
        return self.apply(images, (operation * len(OPERATIONS)).long(), magnitude, coin < 0.5)

"""RandAugment and TrivialAugment: random operations for each image."""

from abc import abstractmethod

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from lit_cnn.keyed_random import Draws
from lit_cnn.transforms.arguments import check_channels, check_number
from lit_cnn.transforms.augment import Augmentation, Images, Stage
from lit_cnn.transforms.operations import NAMES, apply

STRONGEST = 30  # the largest magnitude in both papers
SIGNED = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast", "Sharpness")


class _Policy(Augmentation):
    """Base of both policies: applies one of several operations to each image."""

    stage = Stage.POLICY

    @staticmethod
    @abstractmethod
    def strongest(h: int, w: int) -> list[float]:
        """Returns the strength of each operation at magnitude 30, in the order of `NAMES`."""

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        check_channels(self, in_channels, (1, 3))
        if min(image_size) < 3:
            raise ValueError(
                f"{type(self).__name__} needs images of at least 3 x 3 pixels, but these have "
                f"{image_size[0]} x {image_size[1]}. Remove it."
            )

    def apply(
        self, images: Images, choice: Int64[Tensor, "b"], magnitude: float | Tensor, backwards: Bool[Tensor, "b"]
    ) -> Images:
        """Applies the chosen operation to each image, for some images in the opposite direction."""
        device = images.device
        both_ways = torch.tensor([name in SIGNED for name in NAMES], device=device)
        strongest = torch.tensor(self.strongest(*images.shape[-2:]), device=device)
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

    def __init__(self, num_ops: int = 2, magnitude: int = 9):
        self.num_ops = check_number(self, "num_ops", num_ops, "a number of operations from 1 up", 1)
        what = f"a number from 0 to {STRONGEST}"
        self.magnitude = check_number(self, "magnitude", magnitude, what, 0, STRONGEST)

    @staticmethod
    def strongest(h: int, w: int) -> list[float]:
        return [0, 0.3, 0.3, 150 / 331 * w, 150 / 331 * h, 30, 0.9, 0.9, 0.9, 0.9, 4, 255, 0, 0]

    def __call__(self, images: Images, draws: Draws) -> Images:
        for turn in range(self.num_ops):
            operation, coin = draws.uniforms(f"operation {turn}", f"coin {turn}")
            images = self.apply(images, (operation * len(NAMES)).long(), self.magnitude, coin < 0.5)
        return images


class TrivialAugment(_Policy):
    """TrivialAugment (Wide): applies one random operation of 14 with a random magnitude; it has no parameters.

    Müller & Hutter 2021, https://arxiv.org/abs/2103.10158: with torchvision's operations and ranges, which are wider
    than RandAugment's. On greyscale the colour operation changes nothing.

    Example:
        >>> augment = [TrivialAugment()]  # for any data module
    """

    @staticmethod
    def strongest(h: int, w: int) -> list[float]:
        return [0, 0.99, 0.99, 32, 32, 135, 0.99, 0.99, 0.99, 0.99, 6, 255, 0, 0]

    def __call__(self, images: Images, draws: Draws) -> Images:
        operation, magnitude, coin = draws.uniforms("operation", "magnitude", "coin")
        magnitude = (magnitude * (STRONGEST + 1)).floor()
        return self.apply(images, (operation * len(NAMES)).long(), magnitude, coin < 0.5)

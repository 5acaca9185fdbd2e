"""RandAugment and TrivialAugment: operations drawn at random, on whole batches."""

from dataclasses import dataclass
from itertools import groupby

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from lit_cnn.transforms import operations as op
from lit_cnn.transforms.arguments import check_channels
from lit_cnn.transforms.augment import Augmentation, Stage
from lit_cnn.transforms.draws import Draws
from lit_cnn.transforms.pixels import from_rows, to_rows

STRONGEST = 30  # the largest magnitude in both papers


@dataclass(frozen=True)
class Choice:
    """One operation of a policy.

    Args:
        operation: What is done.
        strongest: Its strength at magnitude 30, in its own unit.
        signed: Whether it goes both ways, by the toss of a coin.
        share_of: The axis of whose size the strength is a share; None where it is no share.
    """

    operation: op.Operation
    strongest: float = 0.0
    signed: bool = False
    share_of: int | None = None


def _choices(shear: float, translate: float, share: bool, rotate: float, factor: float, bits: int) -> list[Choice]:
    """Returns the 14 operations with their ranges; those of one kind stand side by side."""
    return [
        Choice(op.IDENTITY),
        Choice(op.SHEAR_X, shear, signed=True),
        Choice(op.SHEAR_Y, shear, signed=True),
        Choice(op.TRANSLATE_X, translate, signed=True, share_of=-1 if share else None),
        Choice(op.TRANSLATE_Y, translate, signed=True, share_of=-2 if share else None),
        Choice(op.ROTATE, rotate, signed=True),
        Choice(op.BRIGHTNESS, factor, signed=True),
        Choice(op.COLOR, factor, signed=True),
        Choice(op.CONTRAST, factor, signed=True),
        Choice(op.SHARPNESS, factor, signed=True),
        Choice(op.POSTERIZE, bits),
        Choice(op.SOLARIZE, 255),
        Choice(op.AUTOCONTRAST),
        Choice(op.EQUALIZE),
    ]


class _Policy(Augmentation):
    """Applies to each image one of several operations."""

    stage = Stage.POLICY
    choices: list[Choice]

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        """Refuses images that are neither greyscale nor of three colours, or have nothing but a border."""
        check_channels(self, in_channels, (1, 3), "Take it away.")
        if min(image_size) < 3:
            raise ValueError(
                f"{type(self).__name__} needs images of at least 3 x 3 pixels, but these have "
                f"{image_size[0]} x {image_size[1]}. Take it away."
            )

    def apply(
        self,
        images: UInt8[Tensor, "b c h w"],
        choice: Int64[Tensor, "b"],
        magnitude: Float[Tensor, "b"],
        backwards: Bool[Tensor, "b"],
    ) -> UInt8[Tensor, "b c h w"]:
        """Applies each image's choice; all images with operations of one kind are one call."""
        b, c, h, w = images.shape
        order = choice.argsort(stable=True)
        counts = torch.bincount(choice, minlength=len(self.choices)).tolist()
        flat = to_rows(images).view(b, -1)
        rows = flat.index_select(0, order).view(b, h, w * c)
        signed = torch.where(backwards, -magnitude, magnitude)[order] / STRONGEST
        done, start = [], 0
        for kind, of_kind in groupby(zip(self.choices, counts, strict=True), lambda pair: pair[0].operation.kind):
            settings, stop = [], start
            for one, count in of_kind:
                strength = signed[stop : stop + count] * (
                    one.strongest * (images.shape[one.share_of] if one.share_of else 1)
                )
                settings.append(one.operation.setting(strength if one.signed else strength.abs(), h, w))
                stop += count
            if stop > start:
                done.append(to_rows(kind(from_rows(rows[start:stop], c), torch.cat(settings))))
            start = stop
        return from_rows(torch.cat(done).view(b, -1).index_select(0, order.argsort()).view(b, h, w * c), c)


class RandAugment(_Policy):
    """Applies to each image several operations in turn, each drawn from 14, all of one magnitude.

    Cubuk et al. 2020, https://arxiv.org/abs/1909.13719, with torchvision's operations and ranges: identity, shear,
    translation and rotation (nearest pixel), brightness, colour, contrast, sharpness, posterize, solarize,
    autocontrast, equalize. On greyscale the colour operation changes nothing.

    Args:
        num_ops: Operations on each image.
        magnitude: Strength of the operations, from 0 to 30.
    """

    choices = _choices(shear=0.3, translate=150 / 331, share=True, rotate=30, factor=0.9, bits=4)

    def __init__(self, num_ops: int = 2, magnitude: int = 9):
        if num_ops < 1:
            raise ValueError(f"RandAugment's `num_ops` is a number of operations from 1 up, but got {num_ops}.")
        if not 0 <= magnitude <= STRONGEST:
            raise ValueError(f"RandAugment's `magnitude` is a number from 0 to {STRONGEST}, but got {magnitude}.")
        self.num_ops = num_ops
        self.magnitude = magnitude

    def __call__(self, images: UInt8[Tensor, "b c h w"], draws: Draws) -> UInt8[Tensor, "b c h w"]:
        """Draws the operations and their directions for each image."""
        for turn in range(self.num_ops):
            choice = draws.integers(f"operation {turn}", 0, len(self.choices) - 1)
            magnitude = torch.full_like(choice, self.magnitude, dtype=torch.float32)
            images = self.apply(images, choice, magnitude, draws.uniform(f"coin {turn}") < 0.5)
        return images


class TrivialAugment(_Policy):
    """Applies to each image one operation of 14 with a magnitude of its own; there is nothing to tune.

    Müller & Hutter 2021, https://arxiv.org/abs/2103.10158: TrivialAugment (Wide), with torchvision's operations and
    ranges, which are wider than RandAugment's. On greyscale the colour operation changes nothing.
    """

    choices = _choices(shear=0.99, translate=32, share=False, rotate=135, factor=0.99, bits=6)

    def __call__(self, images: UInt8[Tensor, "b c h w"], draws: Draws) -> UInt8[Tensor, "b c h w"]:
        """Draws operation, magnitude and direction for each image."""
        choice = draws.integers("operation", 0, len(self.choices) - 1)
        magnitude = draws.integers("magnitude", 0, STRONGEST).float()
        return self.apply(images, choice, magnitude, draws.uniform("coin") < 0.5)

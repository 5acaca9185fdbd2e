"""Cutout and random erasing: a box hides a part of each image."""

from typing import Literal

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from lit_cnn.keyed_random import Draws
from lit_cnn.transforms.arguments import Range, check_number, check_probability, check_range
from lit_cnn.transforms.augment import Augmentation, Images, Stage
from lit_cnn.transforms.pixels import box, from_rows, moments, to_rows

Fill = Literal["mean", "black", "noise"]


class _Erasing(Augmentation):
    """Base of Cutout and RandomErasing: fills a box."""

    stage = Stage.ERASING

    def __init__(self, fill: Fill):
        self.fill = fill
        self.mean: UInt8[Tensor, c] | None = None

    def learn(self, images: UInt8[Tensor, "n c h w"]) -> None:
        """Computes the mean colour of the training images."""
        if self.fill == "mean":
            self.mean = moments(images)[0].round().to(torch.uint8)

    def erase(self, images: Images, draws: Draws, *sides: Int64[Tensor, "b"]) -> Images:
        """Fills one box of each image; its sides are top, left, height and width."""
        rows, channels = to_rows(images), images.shape[1]
        down, across = box(rows, channels, *sides)
        # A bitwise select: in bytes 0 - 1 is 255. `torch.where` takes many times as long on bytes.
        inside = down.to(torch.uint8).neg_() & across.to(torch.uint8).neg_()
        if self.fill == "black":
            return from_rows(inside.bitwise_not_().bitwise_and_(rows), channels)
        if self.fill == "noise":
            fill = draws.bytes("noise", rows[0].numel()).view(rows.shape)
        else:
            assert self.mean is not None, "call `learn` first"
            fill = self.mean.to(rows.device).expand(rows.shape[2] // channels, channels).flatten()
        return from_rows((rows ^ fill).bitwise_and_(inside).bitwise_xor_(rows), channels)


class Cutout(_Erasing):
    """Cutout: hides a square in each image; its centre is anywhere, so the border may cut it.

    DeVries & Taylor 2017, https://arxiv.org/abs/1708.04552. The paper sets the square to 0 after normalisation,
    which is the mean colour of the training images.

    Args:
        size: Side of the square, in pixels.
        fill: Content of the square: mean, the mean colour of the training images; black; or noise, drawn for each
            pixel and channel.

    Example:
        >>> augment = [Cutout(size=8)]  # for any data module
    """

    def __init__(self, size: int = 8, fill: Fill = "mean"):
        super().__init__(fill)
        self.size = check_number(self, "size", size, "a number of pixels from 1 up", 1)

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        if self.size >= min(image_size):
            raise ValueError(
                f"Cutout's `size` of {self.size} could hide the whole image of {image_size[0]} x {image_size[1]} "
                f"pixels. Use less than {min(image_size)}."
            )

    def __call__(self, images: Images, draws: Draws) -> Images:
        h, w = images.shape[-2:]
        y, x = draws.uniforms("y", "x")
        top, left = (y * h).long() - self.size // 2, (x * w).long() - self.size // 2
        side = torch.full_like(top, self.size)
        return self.erase(images, draws, top, left, side, side)


class RandomErasing(_Erasing):
    """Random erasing: hides a box of random area, aspect ratio and place in each image with a probability.

    Zhong et al. 2017, https://arxiv.org/abs/1708.04896. Differs: the paper draws area and aspect ratio until
    the box fits into the image; here the aspect ratio is drawn from the part of its range that fits the area, so no
    draw is rejected and large areas are as frequent as small ones.

    Args:
        p: Probability of a box, from 0 to 1.
        area: Range of the box's area, as a share of the image.
        aspect: Range of the ratio height / width, drawn uniformly on a logarithmic scale.
        fill: Content of the box: noise, drawn for each pixel and channel; mean, the mean colour of the training
            images; or black.

    Example:
        >>> augment = [RandomErasing()]  # for any data module
    """

    def __init__(self, p: float = 0.5, area: Range = (0.02, 0.33), aspect: Range = (0.3, 3.3), fill: Fill = "noise"):
        super().__init__(fill)
        self.p = check_probability(self, p)
        self.area = check_range(self, "area", area, "a range of shares from 0 to 1", 0, 1)
        self.aspect = check_range(self, "aspect", aspect, "a range of ratios above 0", 1e-3)

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        h, w = image_size
        pixels = self.area[1] * h * w
        if pixels / w**2 > self.aspect[1] or h**2 / max(pixels, 1e-9) < self.aspect[0]:
            raise ValueError(
                f"RandomErasing's `area` of up to {self.area[1]} does not fit into images of {h} x {w} pixels with an "
                f"`aspect` from {self.aspect[0]} to {self.aspect[1]}. Use a smaller area, or a wider range of aspects."
            )

    def __call__(self, images: Images, draws: Draws) -> Images:
        h, w = images.shape[-2:]
        area, aspect, y, x, coin = draws.uniforms("area", "aspect", "y", "x", "coin")
        area = (self.area[0] + area * (self.area[1] - self.area[0])) * (h * w)
        lowest = (area / w**2).clamp(min=self.aspect[0]).log()
        highest = (h**2 / area.clamp(min=1e-9)).clamp(max=self.aspect[1]).log()
        half_aspect = (lowest + aspect * (highest - lowest)) / 2
        height = (area.sqrt() * half_aspect.exp()).round().clamp(max=h)
        width = (area.sqrt() * (-half_aspect).exp()).round().clamp(max=w)
        top, left = y * (h - height + 1), x * (w - width + 1)
        height = height * (coin < self.p)
        return self.erase(images, draws, top.long(), left.long(), height.long(), width.long())

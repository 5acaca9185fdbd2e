"""Rotation and affine augmentation."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

from lit_cnn.keyed_random import Draws
from lit_cnn.transforms.arguments import Range, check_range
from lit_cnn.transforms.augment import Augmentation, Images
from lit_cnn.transforms.pixels import scaled, to_images, to_planes


def warp(images: Images, matrix: Float[Tensor, "b 2 3"], mode: str = "bilinear") -> Images:
    """Warps each image by its own affine matrix; pixels from outside are 0; the mode is "bilinear" or "nearest".

    The matrix maps a position in the result, (x to the right, y down, 1), to its source position in the image, both in
    pixels from the centre.
    """
    h, w = images.shape[-2:]
    x = torch.arange(w, device=images.device) - (w - 1) / 2
    y = torch.arange(h, device=images.device) - (h - 1) / 2
    matrix = matrix * torch.tensor([[2 / w], [2 / h]], device=images.device)  # the sampler's unit is half an image
    # Pairs (x, y) as complex numbers, so that they are added in one pass.
    by_x, by_y, move = torch.view_as_complex(matrix.mT.contiguous())[:, :, None].unbind(1)
    grid = torch.view_as_real((by_x * x)[:, None, :] + (by_y * y + move)[:, :, None])
    return to_images(grid_sample(to_planes(images), grid, mode, "zeros", align_corners=False))


def rows_of(x: tuple[Tensor, Tensor, Tensor], y: tuple[Tensor, Tensor, Tensor]) -> Float[Tensor, "b 2 3"]:
    """Returns the matrices for `warp` from the three numbers of each of their rows."""
    return torch.stack([*x, *y], dim=1).view(-1, 2, 3)


class RandomRotation(Augmentation):
    """Rotates each image about its centre, with bilinear interpolation; new corners are black.

    Args:
        degrees: Range of angles, or largest angle in both directions, in degrees counter-clockwise.

    Example:
        >>> augment = [RandomRotation()]  # for any data module
    """

    def __init__(self, degrees: float | Range = 15.0):
        what = "an angle from 0 to 180 degrees, or a range of them from -180 to 180"
        self.degrees = check_range(self, "degrees", degrees, what, -180, 180)

    def __call__(self, images: Images, draws: Draws) -> Images:
        angle = torch.deg2rad(scaled(draws, angle=self.degrees)["angle"])
        cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        return warp(images, rows_of((cos, -sin, zero), (sin, cos, zero)))


class RandomAffine(Augmentation):
    """Shears, scales, rotates and translates each image, with bilinear interpolation; new pixels are black.

    About the centre, in this order. Differs from torchvision's: the translation is not rounded to whole pixels.

    Args:
        degrees: Range of angles, or largest angle in both directions, in degrees clockwise.
        translate: Largest translation along each axis, in both directions, as a share of the image's width and height.
        scale: Range of scale factors; above 1 enlarges.
        shear: Range of shear angles along the x-axis, or largest angle in both directions, in degrees.

    Example:
        >>> augment = [RandomAffine()]  # for any data module
    """

    def __init__(
        self,
        degrees: float | Range = 0.0,
        translate: Range = (0.0, 0.0),
        scale: Range = (1.0, 1.0),
        shear: float | Range = 0.0,
    ):
        what = "an angle from 0 to 180 degrees, or a range of them from -180 to 180"
        self.degrees = check_range(self, "degrees", degrees, what, -180, 180)
        shares = "two shares of the image's width and height, each from 0 to below 1"
        for share in translate:
            if not 0 <= share < 1:
                raise ValueError(f"{type(self).__name__}'s `translate` has to be {shares}, but got {list(translate)}.")
        self.translate = translate
        self.scale = check_range(self, "scale", scale, "a range of factors above 0", 1e-3)
        what = "an angle from 0 to below 90 degrees, or a range of them"
        self.shear = check_range(self, "shear", shear, what, -89.9, 89.9)

    def __call__(self, images: Images, draws: Draws) -> Images:
        h, w = images.shape[-2:]
        across, along = self.translate[0] * w, self.translate[1] * h
        moves = {"right": (-across, across), "down": (-along, along)}
        drawn = scaled(draws, angle=self.degrees, shear=self.shear, scale=self.scale, **moves)
        angle, shear = torch.deg2rad(drawn["angle"]), torch.tan(torch.deg2rad(drawn["shear"]))
        factor, right, down = drawn["scale"], drawn["right"], drawn["down"]
        cos, sin = angle.cos() / factor, angle.sin() / factor
        # The inverse, from the result back to the image: translation, rotation and scale, shear.
        xx, xy, yx, yy = cos - shear * sin, sin + shear * cos, -sin, cos
        return warp(images, rows_of((xx, xy, -xx * right - xy * down), (yx, yy, -yx * right - yy * down)))

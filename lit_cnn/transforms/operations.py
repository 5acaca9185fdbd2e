"""The operations of RandAugment and TrivialAugment: `uint8 [b, c, h, w]` and a strength for each image.

As in AutoAugment (Cubuk et al. 2019, https://arxiv.org/abs/1805.09501, table 6), with nearest-pixel geometry and
black borders. Differs: results are rounded to the nearest grey level, where Pillow and torchvision round down.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import conv2d

from lit_cnn.transforms.colour import recolour
from lit_cnn.transforms.geometry import rotation, rows_of, warp
from lit_cnn.transforms.pixels import to_images, to_planes

Images = UInt8[Tensor, "b c h w"]
Strength = Float[Tensor, "b"]
Operation = Callable[[Images, Strength], Images]


def identity(images: Images, strength: Strength) -> Images:
    """Changes nothing."""
    return images


def shear_x(images: Images, strength: Strength) -> Images:
    """Moves each row to the left by `strength` pixels for each row that it lies below the upper border."""
    one, zero = torch.ones_like(strength), torch.zeros_like(strength)
    return warp(images, rows_of((one, strength, strength * (images.shape[-2] / 2)), (zero, one, zero)), "nearest")


def shear_y(images: Images, strength: Strength) -> Images:
    """Moves each column up by `strength` pixels for each column from the left border."""
    one, zero = torch.ones_like(strength), torch.zeros_like(strength)
    return warp(images, rows_of((one, zero, zero), (strength, one, strength * (images.shape[-1] / 2))), "nearest")


def translate_x(images: Images, strength: Strength) -> Images:
    """Moves each image to the right by whole pixels, rounded towards 0."""
    one, zero = torch.ones_like(strength), torch.zeros_like(strength)
    return warp(images, rows_of((one, zero, -strength.trunc()), (zero, one, zero)), "nearest")


def translate_y(images: Images, strength: Strength) -> Images:
    """Moves each image down by whole pixels, rounded towards 0."""
    one, zero = torch.ones_like(strength), torch.zeros_like(strength)
    return warp(images, rows_of((one, zero, zero), (zero, one, -strength.trunc())), "nearest")


def rotate(images: Images, strength: Strength) -> Images:
    """Rotates each image counter-clockwise about its centre, by degrees."""
    return warp(images, rotation(strength), "nearest")


def brightness(images: Images, strength: Strength) -> Images:
    """Changes the factor of brightness from 1 by the strength."""
    return recolour(images, brightness=1 + strength)


def color(images: Images, strength: Strength) -> Images:
    """Changes the factor of saturation from 1 by the strength; nothing on greyscale."""
    return recolour(images, saturation=1 + strength) if images.shape[1] == 3 else images


def contrast(images: Images, strength: Strength) -> Images:
    """Changes the factor of contrast from 1 by the strength."""
    return recolour(images, contrast=1 + strength)


def sharpness(images: Images, strength: Strength) -> Images:
    """Moves each pixel away from a blurred one, or towards it for a strength below 0; border pixels stay."""
    c = images.shape[1]
    kernel = torch.ones(c, 1, 3, 3, device=images.device)
    kernel[:, :, 1, 1] = 5
    planes = to_planes(images)
    inner = planes[:, :, 1:-1, 1:-1]
    inner += (inner - conv2d(planes, kernel / 13, groups=c)) * strength[:, None, None, None]
    return to_images(planes)


def posterize(images: Images, strength: Strength) -> Images:
    """Sets the lowest bits of each pixel to 0, as many as the strength says."""
    mask = torch.bitwise_left_shift(255, strength.round().to(torch.int64)).to(torch.uint8)
    return images & mask[:, None, None, None]


def solarize(images: Images, strength: Strength) -> Images:
    """Inverts the pixels of 255 minus the strength and above."""
    above = images >= (255 - strength)[:, None, None, None]
    return images ^ above.to(torch.uint8).neg_()  # 255 - x is x with all bits turned


def autocontrast(images: Images, strength: Strength) -> Images:
    """Spreads each channel to the whole range from 0 to 255."""
    planes = to_planes(images)
    low, high = planes.amin((2, 3), keepdim=True), planes.amax((2, 3), keepdim=True)
    flat = low == high
    scale = 255 / torch.where(flat, 255, high - low)
    return to_images((planes - torch.where(flat, 0, low)) * scale)


def equalize(images: Images, strength: Strength) -> Images:
    """Makes the histogram of each channel as flat as a function of the grey level can."""
    b, c, h, w = images.shape
    places = images.contiguous().view(b * c, h * w).long()
    counts = torch.zeros(b * c, 256, dtype=torch.int64, device=images.device)
    counts.scatter_add_(1, places, torch.ones_like(places))
    brightest = counts.gather(1, places.amax(1, keepdim=True))
    step = (h * w - brightest) // 255
    below = counts.cumsum(1) - counts
    table = ((below + step // 2) // step.clamp(min=1)).clamp(max=255).to(torch.uint8)
    table = torch.where(step == 0, torch.arange(256, dtype=torch.uint8, device=images.device), table)
    return table.gather(1, places).view(b, c, h, w).contiguous(memory_format=torch.channels_last)

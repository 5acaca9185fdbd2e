"""The operations of RandAugment and TrivialAugment, each of a strength of its own for each image.

As in AutoAugment (Cubuk et al. 2019, https://arxiv.org/abs/1805.09501, table 6), with nearest-pixel geometry and
black borders. Differs: results are rounded to the nearest grey level, where Pillow and torchvision round down.

An operation is a kind of change and its setting. Shear, translation and rotation are one kind and so are
brightness, colour and contrast, so that a batch of all 14 operations is 8 calls.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from lit_cnn.transforms.colour import recolour
from lit_cnn.transforms.geometry import rotation, rows_of, warp
from lit_cnn.transforms.pixels import from_rows, to_images, to_planes, to_rows

Images = UInt8[Tensor, "b c h w"]
Strength = Float[Tensor, "b"]


def keep(images: Images, setting: Strength) -> Images:
    """Changes nothing."""
    return images


def warp_nearest(images: Images, setting: Float[Tensor, "b 2 3"]) -> Images:
    """Maps each image by its matrix, to the nearest pixel."""
    return warp(images, setting, "nearest")


def tint(images: Images, setting: Float[Tensor, "b 3"]) -> Images:
    """Changes brightness, saturation and contrast by their factors; greyscale has no saturation to change."""
    brightness, saturation, contrast = setting.unbind(1)
    return recolour(images, brightness, contrast, saturation)


def sharpen(images: Images, setting: Strength) -> Images:
    """Moves each pixel away from a blurred one, or towards it for a strength below 0; border pixels stay."""
    c = images.shape[1]
    rows = to_rows(images).float()
    three = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    nine = three[:, :, : -2 * c] + three[:, :, c:-c] + three[:, :, 2 * c :]
    inner = rows[:, 1:-1, c:-c]
    inner += (inner * (9 / 13) - nine / 13) * setting[:, None, None]  # the blur weighs the middle 5, the others 1
    return from_rows(rows.add_(0.5).clamp_(0, 255).to(torch.int16).to(torch.uint8), c)


def posterize(images: Images, setting: Strength) -> Images:
    """Sets the lowest bits of each pixel to 0, as many as the strength says."""
    mask = torch.bitwise_left_shift(255, setting.round().to(torch.int64)).to(torch.uint8)
    return images & mask[:, None, None, None]


def solarize(images: Images, setting: Strength) -> Images:
    """Inverts the pixels of 255 minus the strength and above."""
    above = images >= (255 - setting)[:, None, None, None]
    return images ^ above.to(torch.uint8).neg_()  # 255 - x is x with all bits turned


def autocontrast(images: Images, setting: Strength) -> Images:
    """Spreads each channel to the whole range from 0 to 255."""
    planes = to_planes(images)
    low, high = planes.amin((2, 3), keepdim=True), planes.amax((2, 3), keepdim=True)
    flat = low == high
    scale = 255 / torch.where(flat, 255, high - low)
    return to_images((planes - torch.where(flat, 0, low)) * scale)


def equalize(images: Images, setting: Strength) -> Images:
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


@dataclass(frozen=True)
class Operation:
    """One operation.

    Args:
        name: Its name in the papers.
        kind: Changes images, each by its own setting.
        setting: The settings for given strengths on images of a height and width; by default the strengths.
    """

    name: str
    kind: Callable[[Images, Tensor], Images]
    setting: Callable[[Strength, int, int], Tensor] = lambda strength, h, w: strength

    def __call__(self, images: Images, strength: Strength) -> Images:
        """Applies the operation alone."""
        return self.kind(images, self.setting(strength, *images.shape[-2:]))


def _matrix(xy: float | Tensor, x: float | Tensor, yx: float | Tensor, y: float | Tensor, like: Strength) -> Tensor:
    """Returns the map to (x + xy * y + x, y + yx * x + y) for `warp`."""
    one, zero = torch.ones_like(like), torch.zeros_like(like)
    return rows_of((one, zero + xy, zero + x), (zero + yx, one, zero + y))


def _factors(position: int) -> Callable[[Strength, int, int], Tensor]:
    """Returns factors of 1 but for one, which the strength moves."""

    def setting(strength: Strength, h: int, w: int) -> Tensor:
        factors = torch.ones(len(strength), 3, device=strength.device)
        factors[:, position] += strength
        return factors

    return setting


IDENTITY = Operation("Identity", keep)
# Each row moves to the left, by `strength` pixels for each row from the upper border; each column up likewise.
SHEAR_X = Operation("ShearX", warp_nearest, lambda s, h, w: _matrix(s, s * (h / 2), 0, 0, s))
SHEAR_Y = Operation("ShearY", warp_nearest, lambda s, h, w: _matrix(0, 0, s, s * (w / 2), s))
# To the right and down, by whole pixels, rounded towards 0.
TRANSLATE_X = Operation("TranslateX", warp_nearest, lambda s, h, w: _matrix(0, -s.trunc(), 0, 0, s))
TRANSLATE_Y = Operation("TranslateY", warp_nearest, lambda s, h, w: _matrix(0, 0, 0, -s.trunc(), s))
ROTATE = Operation("Rotate", warp_nearest, lambda s, h, w: rotation(s))
BRIGHTNESS = Operation("Brightness", tint, _factors(0))
COLOR = Operation("Color", tint, _factors(1))
CONTRAST = Operation("Contrast", tint, _factors(2))
SHARPNESS = Operation("Sharpness", sharpen)
POSTERIZE = Operation("Posterize", posterize)
SOLARIZE = Operation("Solarize", solarize)
AUTOCONTRAST = Operation("AutoContrast", autocontrast)
EQUALIZE = Operation("Equalize", equalize)

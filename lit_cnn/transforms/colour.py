"""Colour augmentations: brightness, contrast, saturation, hue, greyscale and PCA noise.

Brightness, contrast, saturation and hue are linear in the pixels. In the colour space YIQ, brightness scales all,
contrast scales all about the image's mean Y, and saturation and hue scale and rotate the (I, Q) plane. So their order
does not matter, and together they are one 3 x 3 matrix and one offset, with one rounding at the end.
"""

import math

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from lit_cnn.keyed_random import Draws
from lit_cnn.transforms.arguments import Range, check_channels, check_number, check_probability, check_range
from lit_cnn.transforms.augment import Augmentation, Images, Stage
from lit_cnn.transforms.pixels import from_rows, moments, scaled, to_images, to_planes, to_rows

# Red, green, blue to Y (ITU-R BT.601's luma) and to I and Q (NTSC, as standardised in SMPTE C).
LUMA = (0.299, 0.587, 0.114)
YIQ = torch.tensor([LUMA, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)], dtype=torch.float64)


def recolour(
    images: Images,
    brightness: Float[Tensor, "b"] | None = None,
    contrast: Float[Tensor, "b"] | None = None,
    saturation: Float[Tensor, "b"] | None = None,
    hue: Float[Tensor, "b"] | None = None,
) -> Images:
    """Changes the colours of each image of 1 or 3 channels, by factors, and turns for the hue.

    Contrast is the distance from the image's mean grey, saturation that from each pixel's own grey, and hue the
    rotation of the (I, Q) plane, from red towards yellow.
    """
    b, c, h, w = images.shape
    planes = to_planes(images).view(b, c, h * w)
    ones = torch.ones(b, device=images.device)
    brightness = ones if brightness is None else brightness
    matrix = torch.eye(c, device=images.device).expand(b, c, c)
    if c == 3 and (saturation is not None or hue is not None):
        radius = ones if saturation is None else saturation
        angle = torch.zeros_like(ones) if hue is None else -2 * math.pi * hue
        to_yiq, from_yiq = YIQ.float().to(images.device), YIQ.inverse().float().to(images.device)
        turned = torch.zeros(b, 3, 3, device=images.device)
        turned[:, 0, 0] = 1
        turned[:, 1, 1] = turned[:, 2, 2] = radius * angle.cos()
        turned[:, 2, 1] = radius * angle.sin()
        turned[:, 1, 2] = -turned[:, 2, 1]
        matrix = from_yiq @ turned @ to_yiq
    offset = torch.zeros(b, 1, 1, device=images.device)
    if contrast is not None:
        luma = torch.tensor(LUMA if c == 3 else (1.0,), device=images.device)
        grey = planes.mean(2) @ luma
        offset = (brightness * (1 - contrast) * grey)[:, None, None]
        brightness = brightness * contrast
    changed = torch.baddbmm(offset, brightness[:, None, None] * matrix, planes)
    return to_images(changed.view(b, c, h, w))


class ColorJitter(Augmentation):
    """Changes brightness, contrast, saturation and hue of each image by random factors.

    Differs from torchvision's: hue is a rotation in the colour space YIQ, not a shift in HSV; and the order does not
    matter, since pixels are rounded and clipped to 0 to 255 only once, at the end.

    Args:
        brightness: Range of the factor, or its largest distance from 1; 0 is black.
        contrast: The same for the contrast; 0 is the image's mean grey.
        saturation: The same for the saturation; 0 is greyscale.
        hue: Range of the rotation in turns, or its largest value in both directions, at most 0.5.

    Example:
        >>> augment = [ColorJitter(brightness=0.4)]  # for any data module
    """

    stage = Stage.COLOUR

    def __init__(
        self,
        brightness: float | Range = 0.0,
        contrast: float | Range = 0.0,
        saturation: float | Range = 0.0,
        hue: float | Range = 0.0,
    ):
        what = "a change of a factor from 0 up, or a range of factors from 0 up"
        given = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
        ranges = {k: check_range(self, k, v, what, low=0, centre=1) for k, v in given.items()}
        what = "a share of a turn from 0 to 0.5, or a range from -0.5 to 0.5"
        ranges["hue"] = check_range(self, "hue", hue, what, -0.5, 0.5)
        self.ranges = {name: ends for name, ends in ranges.items() if ends != ((0, 0) if name == "hue" else (1, 1))}

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        colourful = [name for name in ("saturation", "hue") if name in self.ranges]
        if colourful:
            remedy = f"Set {' and '.join(f'`{name}`' for name in colourful)} to 0."
            check_channels(self, in_channels, (3,), remedy)
        check_channels(self, in_channels, (1, 3))

    def __call__(self, images: Images, draws: Draws) -> Images:
        return recolour(images, **scaled(draws, **self.ranges))


class RandomGrayscale(Augmentation):
    """Turns each image grey with a probability; it keeps its three channels.

    Args:
        p: Probability, from 0 to 1.

    Example:
        >>> augment = [RandomGrayscale()]  # for any data module
    """

    stage = Stage.COLOUR

    def __init__(self, p: float = 0.1):
        self.p = check_probability(self, p)

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        check_channels(self, in_channels, (3,))

    def __call__(self, images: Images, draws: Draws) -> Images:
        chosen = (draws.uniform("coin") < self.p).nonzero().squeeze(1)
        rows = to_rows(images)
        pixels = rows.index_select(0, chosen).unflatten(-1, (-1, 3))
        grey = sum(weight * pixels[..., i] for i, weight in enumerate(LUMA)) + 0.5  # half a level, to round
        rows = rows.index_copy(0, chosen, grey.to(torch.uint8).repeat_interleave(3, -1))
        return from_rows(rows, 3)


class PCANoise(Augmentation):
    """PCA colour noise (fancy PCA): adds one random colour to all pixels of each image.

    Krizhevsky et al. 2012, section 4.1,
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks:
    the sum of the principal components of all training pixels, each times its eigenvalue and a normal draw. With
    the covariance C = P diag(e) P^T, that is P diag(e) a for normal draws a. C a has the same distribution and needs
    no eigenvectors, whose signs differ between libraries.

    Args:
        std: Standard deviation of the normal draws, for pixels on a scale from 0 to 1.

    Example:
        >>> augment = [PCANoise()]  # for any data module
    """

    stage = Stage.COLOUR

    def __init__(self, std: float = 0.1):
        self.std = check_number(self, "std", std, "a number from 0 up", 0)
        self.covariance: Float[Tensor, "3 3"] | None = None

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        check_channels(self, in_channels, (3,))

    def learn(self, images: UInt8[Tensor, "n c h w"]) -> None:
        """Computes the covariance of the colours of all training pixels, on a scale from 0 to 1."""
        self.covariance = (moments(images)[1] / 255**2).float()

    def __call__(self, images: Images, draws: Draws) -> Images:
        assert self.covariance is not None, "call `learn` first"
        noise = self.std * 255 * draws.normals("red", "green", "blue") @ self.covariance.to(images.device)
        noise = noise.round().clamp(-255, 255)
        rows = to_rows(images)
        moved = rows.to(torch.int16) + noise.to(torch.int16).repeat(1, rows.shape[2] // 3)[:, None]
        return from_rows(moved.clamp_(0, 255).to(torch.uint8), 3)

"""The picture on the demo's page: from the page's PNG to a network's input size, shifted, rotated, with noise."""

import base64
import binascii
import io
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from lit_cnn.data.images import as_batch, on_white
from lit_cnn.errors import DataError
from lit_cnn.keyed_random import Draws
from lit_cnn.transforms.geometry import rows_of, warp

PREFIX = "data:image/png;base64,"
MOST_PIXELS = 1024 * 1024  # the page sends 280 x 280
BOX, SIDE = 20, 28  # MNIST scales each digit into a box of 20 pixels, and centres it in an image of 28
INK = 26  # grey level above which a pixel belongs to the digit


class Changes(NamedTuple):
    """Changes of the picture by the sliders."""

    right: float = 0.0  # shift, as a share of the width
    down: float = 0.0  # shift, as a share of the height
    degrees: float = 0.0  # rotation, clockwise
    noise: float = 0.0  # standard deviation of Gaussian noise, as a share of the grey levels from black to white


def read_png(url: str) -> Image.Image:
    """Returns the picture of a data URL as the page sends it.

    Raises:
        DataError: If it is not a PNG in a data URL, or too large.
    """
    try:
        content = base64.b64decode(url.removeprefix(PREFIX), validate=True)
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            if image.width * image.height > MOST_PIXELS:
                raise DataError(f"The picture has {image.width} x {image.height} pixels. Send at most {MOST_PIXELS:,}.")
            return on_white(image).convert("RGB")
    except Image.DecompressionBombError as error:
        raise DataError(f"The picture is too large. Send at most {MOST_PIXELS:,} pixels.") from error
    except (binascii.Error, OSError, SyntaxError, ValueError) as error:
        raise DataError("The picture is not a PNG in a data URL.") from error


def write_png(image: UInt8[Tensor, "c h w"]) -> str:
    """Returns an image of 1 or 3 channels as a data URL."""
    pixels = image[0] if len(image) == 1 else image.permute(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(pixels.contiguous().numpy()).save(file, "PNG")
    return PREFIX + base64.b64encode(file.getvalue()).decode()


def white_on_black(image: Image.Image) -> Image.Image:
    """Returns a drawing in grey with its background black and its ink white, as MNIST's digits are.

    The background is the median of the border; dark ink on a bright one is inverted. A drawing without ink is black.
    """
    grey = np.asarray(image.convert("L")).astype(np.float32)
    background = float(np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])))
    ink = background - grey if background > 127 else grey - background
    strength = float(ink.max())
    levels = np.zeros_like(grey) if strength < INK else ink.clip(0) * (255 / strength)
    return Image.fromarray(np.rint(levels).astype(np.uint8))


def centred(drawing: Image.Image) -> Image.Image:
    """Returns a white on black drawing as MNIST prepared its digits: 20 pixels large, centred by its mass in 28 x 28.

    LeCun et al. 1998, https://doi.org/10.1109/5.726791, section III.A.
    """
    box = drawing.point(lambda level: 255 * (level > INK)).getbbox()
    whole = Image.new("L", (SIDE, SIDE))
    if box is None:
        return whole
    digit = drawing.crop(box)
    factor = BOX / max(digit.size)
    digit = digit.resize([max(round(side * factor), 1) for side in digit.size], Image.Resampling.BOX)
    mass = np.asarray(digit).astype(np.float64)
    shares = mass.sum(0) / mass.sum(), mass.sum(1) / mass.sum()
    corner = [round(SIDE / 2 - float(share @ np.arange(len(share)))) for share in shares]
    whole.paste(digit, (corner[0], corner[1]))
    return whole


def changed(image: Image.Image, shape: tuple[int, int, int], changes: Changes) -> UInt8[Tensor, "1 c h w"]:
    """Returns the picture in a network's shape (channels, height, width): rotated, then shifted, then with noise."""
    channels, height, width = shape
    images = as_batch(image, channels, (height, width))
    if changes.right or changes.down or changes.degrees:
        images = warp(images, _matrix(changes, height, width))
    if changes.noise:
        pixels = Draws(0, 0, torch.arange(images.numel()), "demo").normals("noise").reshape(images.shape)
        images = (images + 255 * changes.noise * pixels).round().clamp(0, 255).byte()
    return images


def _matrix(changes: Changes, height: int, width: int) -> Float[Tensor, "1 2 3"]:
    angle = torch.deg2rad(torch.tensor([-changes.degrees]))
    cos, sin = angle.cos(), angle.sin()
    right, down = changes.right * width, changes.down * height
    # `warp` asks where each pixel of the result comes from, so the shift is undone first.
    return rows_of((cos, -sin, sin * down - cos * right), (sin, cos, -sin * right - cos * down))

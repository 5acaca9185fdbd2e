"""From an image file to bytes: one way, for training and for predicting alike."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from lit_cnn.errors import DataError

GREYSCALE_MODES = {"1", "L", "LA", "La"}
DEEP_MODES = {"I", "F", "I;16", "I;16L", "I;16B", "I;16N"}  # greyscale with more than 8 bits

# Larger images are refused by their header, before memory is taken for their pixels: 150 MB as colour.
MOST_PIXELS = 50_000_000

Picture = str | Path | Image.Image | np.ndarray


def open_image(path: str | Path) -> Image.Image:
    """Opens an image file with 8 bits for each channel, turned upright as its EXIF orientation says.

    Of an animation it is the first picture. Transparency is left out: what lies below it shows.

    Raises:
        DataError: If it is missing, broken or too large, or its values are not on a scale that is known.
    """
    try:
        with Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"it has {image.width} x {image.height} pixels, more than {MOST_PIXELS:,}")
            return ImageOps.exif_transpose(in_eight_bits(image))
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is not an image that can be read. Replace or remove it.") from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise a dozen kinds
        raise DataError(f"{path} cannot be read: {' '.join(str(error).split())}. Replace or remove it.") from error


def in_eight_bits(image: Image.Image) -> Image.Image:
    """Returns an image of more than 8 bits on the scale of 8: of 16 bits, 65,535 becomes 255; of floats, 1 does.

    Pillow's own conversion would cut off what is above 255, so that most of the image becomes white.

    Raises:
        ValueError: If the values are on neither of these scales.
    """
    if image.mode not in DEEP_MODES:
        return image
    values = np.asarray(image)
    scale = 1.0 if image.mode == "F" else 65535.0
    if not (values.min() >= 0 and values.max() <= scale):  # neither holds for NaN
        raise ValueError(
            f"its values go from {values.min()} to {values.max()}, but in mode {image.mode} "
            f"they have to lie between 0 and {scale:g}"
        )
    eight = Image.fromarray(np.round(values * (255 / scale)).astype(np.uint8))
    eight.getexif().update(image.getexif())
    return eight


def to_pixels(image: Image.Image, in_channels: int, image_size: tuple[int, int]) -> UInt8[np.ndarray, "h w c"]:
    """Returns an image's bytes, as greyscale (1 channel) or colour (3), resized where its size is another."""
    height, width = image_size
    image = image.convert("L" if in_channels == 1 else "RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(height, width, in_channels)


def as_batch(
    images: Picture | Sequence[Picture] | UInt8[Tensor, "b c h w"],
    in_channels: int,
    image_size: tuple[int, int],
) -> UInt8[Tensor, "b c h w"]:
    """Returns images of any kind as one batch.

    Args:
        images: One image or a sequence of them, as paths, PIL images or uint8 arrays `[h, w]` or `[h, w, c]`;
            or a batch already.
        in_channels: Channels of the batch.
        image_size: Height and width of the batch, in pixels.

    Raises:
        DataError: If a file cannot be read.
        ValueError: If a tensor or array is not of bytes, or of another shape.
    """
    if isinstance(images, Tensor):
        expected = (in_channels, *image_size)
        if images.dtype != torch.uint8 or images.dim() != 4 or tuple(images.shape[1:]) != expected:
            raise ValueError(
                f"A tensor of images is uint8 [b, {', '.join(map(str, expected))}], "
                f"but got {images.dtype} {list(images.shape)}."
            )
        return images
    if isinstance(images, (str, Path, Image.Image, np.ndarray)):
        images = [images]
    pixels = np.stack([to_pixels(_opened(i), in_channels, image_size) for i in images])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def _opened(image: Picture) -> Image.Image:
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8:
            raise ValueError(f"An array is an image of bytes (uint8), but got {image.dtype}.")
        return Image.fromarray(image.squeeze(2) if image.ndim == 3 and image.shape[2] == 1 else image)
    return in_eight_bits(image) if isinstance(image, Image.Image) else open_image(image)

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
EIGHT_BIT_MODES = GREYSCALE_MODES | {"P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}

Picture = str | Path | Image.Image | np.ndarray


def open_image(path: str | Path) -> Image.Image:
    """Opens an image file and turns it upright, as its EXIF orientation says.

    Raises:
        DataError: If it is missing, broken, or has pixels of more than 8 bits for each channel.
    """
    try:
        with Image.open(path) as image:
            if image.mode not in EIGHT_BIT_MODES:
                raise DataError(f"{path} has pixels of mode {image.mode}, not of 8 bits. Convert it to 8 bits.")
            return ImageOps.exif_transpose(image)
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is not an image that can be read. Replace or remove it.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read: {error}. Replace or remove it.") from error


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
    return image if isinstance(image, Image.Image) else open_image(image)

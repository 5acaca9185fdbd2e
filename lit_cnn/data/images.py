"""Image files to bytes, in the same way for training and prediction."""

import io
import stat
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from lit_cnn.data.image_files import suffix_of, suffixes
from lit_cnn.data.memory import refuse_too_large
from lit_cnn.errors import DataError, printable

GREYSCALE_MODES = {"1", "L", "LA", "La"}
EIGHT_BIT_MODES = GREYSCALE_MODES | {"P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV"}

# Formats that are recognised by their first bytes, with any suffix. Other formats need their suffix, since Pillow takes
# any bytes for some of them, such as TGA.
FORMATS = ["PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM", "TIFF", "AVIF", "JPEG2000"]

# Decoding, rotating and converting one of this size takes 300 MB.
MOST_PIXELS = 25_000_000

Picture = str | Path | Image.Image | np.ndarray

# Large images are refused below; a broken EXIF field does not change pixels.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def open_image(path: str | Path, content: bytes | None = None) -> Image.Image:
    """Opens an image file (the first picture of an animation), converts it to 8 bits, and rotates it as its EXIF says.

    With `content`, the file's bytes, the path is only its name.

    Raises DataError if it is missing, broken, larger than `MOST_PIXELS`, or its pixels have no known range.
    """
    name = printable(path)
    try:
        if content is None and not stat.S_ISREG(Path(path).stat().st_mode):
            raise DataError(f"{name} is not a file. Replace or remove it.")
        known = {*suffixes().values()}  # Pillow 11.0 has no AVIF, for example
        formats = [*(form for form in FORMATS if form in known), *filter(None, [suffixes().get(suffix_of(path))])]
        with Image.open(path if content is None else io.BytesIO(content), formats=formats) as image:
            if image.width * image.height > MOST_PIXELS:
                raise _too_large(name, f"{image.height:,} x {image.width:,} pixels")
            return ImageOps.exif_transpose(eight_bits(image, name))
    except (DataError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise DataError(f"{name} is not an image that can be read. Replace or remove it.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name, "too many pixels") from error
    except Exception as error:  # a broken file makes Pillow raise a dozen kinds
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{name} cannot be read: {reason[:150]}. Replace or remove it.") from error


def eight_bits(image: Image.Image, name: str) -> Image.Image:
    """Divides 16 bits by 257, multiplies floats from 0 to 1 by 255; DataError if pixels have another range."""
    if image.mode in EIGHT_BIT_MODES:
        return image
    upright = ImageOps.exif_transpose(image)
    pixels = np.asarray(upright)
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PPM", "PNG")):  # Pillow's 16 bits
        return Image.fromarray(((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8))
    if image.mode == "F":
        low, high = float(pixels.min()), float(pixels.max())
        if 0 <= low <= high <= 1:  # false for NaN
            return Image.fromarray(np.rint(pixels * np.float32(255)).astype(np.uint8))
        raise DataError(f"{name} has floats from {low:.4g} to {high:.4g}, not from 0 to 1. Convert it to 8 bits.")
    raise DataError(f"{name} has pixels of mode {image.mode}, whose scale is unknown. Convert it to 8 bits.")


def _too_large(name: str, what: str) -> DataError:
    return DataError(f"{name} has {what}; the limit is {MOST_PIXELS:,}. Make it smaller or remove it.")


def to_pixels(image: Image.Image, in_channels: int, image_size: tuple[int, int]) -> UInt8[np.ndarray, "h w c"]:
    """Returns an image's bytes on white, in greyscale (1 channel) or colour (3), resized if necessary."""
    height, width = image_size
    image = on_white(image).convert("L" if in_channels == 1 else "RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(height, width, in_channels)


def resized(images: UInt8[Tensor, "b c h w"], image_size: tuple[int, int]) -> UInt8[Tensor, "b c new_h new_w"]:
    """Returns a batch of images with another size, the same pixels as those of image files that are resized."""
    if tuple(images.shape[2:]) == image_size:
        return images
    number, channels = images.shape[:2]
    refuse_too_large(number, channels, image_size)
    new = np.empty((number, *image_size, channels), np.uint8)
    for i, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
        new[i] = to_pixels(Image.fromarray(image.squeeze(2) if channels == 1 else image), channels, image_size)
    return torch.from_numpy(new).permute(0, 3, 1, 2)


def on_white(image: Image.Image) -> Image.Image:
    """Returns an image laid on white, as viewers show it; the image itself if it has no transparency.

    The colours that a file has in its transparent parts are never seen, and differ by the program that wrote it.
    """
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image)
    return white


def has_transparent_parts(image: Image.Image) -> bool:
    """Whether some pixels of an image are not opaque."""
    return image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema() != (255, 255)


def as_batch(
    images: Picture | Sequence[Picture] | UInt8[Tensor, "b c h w"], in_channels: int, image_size: tuple[int, int]
) -> UInt8[Tensor, "b c h w"]:
    """Returns images as one batch: paths, PIL images, uint8 arrays `[h, w]` or `[h, w, c]`, one or many; or a batch.

    Raises DataError if a file cannot be read, ValueError if a tensor or array is not uint8, or has another shape.
    """
    if isinstance(images, Tensor):
        expected = (in_channels, *image_size)
        if images.dtype != torch.uint8 or images.dim() != 4 or tuple(images.shape[1:]) != expected:
            raise ValueError(
                f"A tensor of images has to be uint8 [b, {', '.join(map(str, expected))}], "
                f"but got {images.dtype} {list(images.shape)}."
            )
        return images
    if isinstance(images, (str, Path, Image.Image, np.ndarray)):
        images = [images]
    pixels = [to_pixels(_opened(i), in_channels, image_size) for i in images]
    if not pixels:
        return torch.empty(0, in_channels, *image_size, dtype=torch.uint8)
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)


def _opened(image: Picture) -> Image.Image:
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8:
            raise ValueError(f"An image array has to be uint8, but got {image.dtype}.")
        if image.size == 0 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3, 4))):
            raise ValueError(f"An image array has to be [h, w] or [h, w, 1, 3 or 4], but got {list(image.shape)}.")
        return Image.fromarray(image.squeeze(2) if image.ndim == 3 and image.shape[2] == 1 else image)
    return eight_bits(image, "The image") if isinstance(image, Image.Image) else open_image(image)

"""The image operations of RandAugment and TrivialAugment, with a strength for each image.

As in AutoAugment (Cubuk et al. 2019, https://arxiv.org/abs/1805.09501, table 6), with nearest-pixel geometry and
black borders. Differs: results are rounded to the nearest grey level; Pillow and torchvision round down.

Operations with the same calculation share a function: shear, translation and rotation are affine maps; brightness,
colour and contrast are tints. So a batch with all 14 operations needs 8 calls. A function takes a column of strengths
for each of its operations; an image has 0 in the columns of operations that it does not get.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lit_cnn.transforms.augment import Images
from lit_cnn.transforms.colour import recolour
from lit_cnn.transforms.geometry import rows_of, warp
from lit_cnn.transforms.pixels import from_rows, to_images, to_planes, to_rows


def identity(images: Images, strengths: Float[Tensor, "b 1"]) -> Images:
    """Changes nothing."""
    return images


def shift_shear_rotate(images: Images, strengths: Float[Tensor, "b 5"]) -> Images:
    """Shears along x and y, translates right and down, rotates counter-clockwise; to the nearest pixel.

    A shear moves each row to the left by `strength` pixels for each row below the upper border, or each column up
    likewise. Translations are in whole pixels, rounded towards 0. Angles are in degrees, about the centre.
    """
    h, w = images.shape[-2:]
    shear_x, shear_y, right, down, degrees = strengths.unbind(1)
    angle = torch.deg2rad(degrees)
    cos, sin = angle.cos(), angle.sin()
    x = (cos, shear_x - sin, shear_x * (h / 2) - right.trunc())
    y = (shear_y + sin, cos, shear_y * (w / 2) - down.trunc())
    return warp(images, rows_of(x, y), "nearest")


def tint(images: Images, strengths: Float[Tensor, "b 3"]) -> Images:
    """Changes brightness, saturation and contrast by factors of 1 + strength; greyscale has no saturation."""
    brightness, saturation, contrast = (1 + strengths).unbind(1)
    return recolour(images, brightness, contrast, saturation)


def sharpen(images: Images, strengths: Float[Tensor, "b 1"]) -> Images:
    """Sharpens, or blurs if the strength is below 0; border pixels stay."""
    c = images.shape[1]
    rows = to_rows(images).float()
    three = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    nine = three[:, :, : -2 * c] + three[:, :, c:-c] + three[:, :, 2 * c :]
    inner = rows[:, 1:-1, c:-c]
    inner += (inner * (9 / 13) - nine / 13) * strengths[:, :, None]  # the blur's weights: 5 in the middle, 1 elsewhere
    return from_rows(rows.add_(0.5).clamp_(0, 255).to(torch.int16).to(torch.uint8), c)


def posterize(images: Images, strengths: Float[Tensor, "b 1"]) -> Images:
    """Sets the lowest `strength` bits of each pixel to 0."""
    mask = torch.bitwise_left_shift(255, strengths.round().to(torch.int64)).to(torch.uint8)
    return images & mask[:, :, None, None]


def solarize(images: Images, strengths: Float[Tensor, "b 1"]) -> Images:
    """Inverts the pixels of at least 255 - strength."""
    above = images >= (255 - strengths)[:, :, None, None]
    return images ^ above.to(torch.uint8).neg_()  # 255 - x is x with all bits flipped


def autocontrast(images: Images, strengths: Float[Tensor, "b 1"]) -> Images:
    """Stretches each channel to the whole range from 0 to 255."""
    planes = to_planes(images)
    low, high = planes.amin((2, 3), keepdim=True), planes.amax((2, 3), keepdim=True)
    flat = low == high
    scale = 255 / torch.where(flat, 255, high - low)
    return to_images((planes - torch.where(flat, 0, low)) * scale)


def equalize(images: Images, strengths: Float[Tensor, "b 1"]) -> Images:
    """Equalises the histogram of each channel."""
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


# The functions and the names of their operations, as in the papers, one for each column of a function's strengths.
OPERATIONS: dict[Callable[[Images, Tensor], Images], tuple[str, ...]] = {
    identity: ("Identity",),
    shift_shear_rotate: ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"),
    tint: ("Brightness", "Color", "Contrast"),
    sharpen: ("Sharpness",),
    posterize: ("Posterize",),
    solarize: ("Solarize",),
    autocontrast: ("AutoContrast",),
    equalize: ("Equalize",),
}
NAMES = [name for names in OPERATIONS.values() for name in names]


def apply(images: Images, choice: Int64[Tensor, "b"], strength: Float[Tensor, "b"]) -> Images:
    """Applies to each image the operation `NAMES[choice]`; one call for each kind."""
    b, c, h, w = images.shape
    order = choice.argsort(stable=True)  # groups the images by kind
    counts = choice.bincount(minlength=len(NAMES)).tolist()
    columns = torch.zeros(b, len(NAMES), device=images.device)
    columns = columns.scatter_(1, choice[:, None], strength[:, None]).index_select(0, order)
    rows = to_rows(images).view(b, -1).index_select(0, order).view(b, h, w * c)
    done, image, column = [], 0, 0
    for function, names in OPERATIONS.items():
        right = column + len(names)
        last = image + sum(counts[column:right])
        if last > image:
            done.append(to_rows(function(from_rows(rows[image:last], c), columns[image:last, column:right])))
        image, column = last, right
    rows = torch.cat(done).view(b, -1).index_select(0, order.argsort())
    return from_rows(rows.view(b, h, w * c), c)

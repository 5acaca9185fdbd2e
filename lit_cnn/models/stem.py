"""The stem, a network's first layers: imagenet downsamples at once, small keeps the resolution of small images."""

from collections.abc import Mapping
from typing import Literal

from lit_cnn.sizes import ImageSize, height_and_width

Stem = Literal["imagenet", "small", "auto"]

LARGEST_SMALL = 64  # up to this many pixels on the shorter side, `auto` takes the small stem
ANOTHER = "Use larger images, or another architecture."


def choose_stem(
    stem: Stem, image_size: ImageSize | None, name: str = "", smallest: Mapping[str, int] | None = None
) -> Literal["imagenet", "small"]:
    """Returns the stem; for `auto` the one that suits the image size, small if the size is not known.

    By the name of an architecture and its smallest images for each stem, it refuses images that are too small.
    """
    if stem not in ("imagenet", "small", "auto"):
        raise ValueError(f"`stem` has to be imagenet, small or auto, but got {stem!r}.")
    side = None if image_size is None else min(height_and_width(image_size))
    if stem == "auto":
        stem = "small" if side is None or side <= LARGEST_SMALL else "imagenet"
    if smallest is not None:
        fitting = [other for other, pixels in smallest.items() if side and pixels <= side]
        remedy = f"Set `stem: {fitting[0]}`, or use another architecture." if fitting else ANOTHER
        refuse_small_images(f"{name} with the stem {stem} needs", smallest[stem], image_size, remedy)
    return stem


def refuse_small_images(what: str, smallest: int, image_size: ImageSize | None, remedy: str = ANOTHER) -> None:
    """Raises a ValueError if images have fewer pixels on their shorter side, unless their size is not known."""
    if image_size is None:
        return
    height, width = height_and_width(image_size)
    if min(height, width) < smallest:
        raise ValueError(f"{what} images of at least {smallest} pixels, but got {height} x {width}. {remedy}")

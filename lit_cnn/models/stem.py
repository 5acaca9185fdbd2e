"""The stem, a network's first layers: imagenet downsamples at once, small keeps the resolution of small images."""

from collections.abc import Mapping, Sequence
from typing import Literal

from lit_cnn.sizes import height_and_width

Stem = Literal["imagenet", "small", "auto"]
ChosenStem = Literal["imagenet", "small"]

LARGEST_SMALL = 64  # up to this many pixels on the shorter side, `auto` takes the small stem


def choose_stem(
    stem: Stem, image_size: int | Sequence[int] | None, name: str = "", smallest: Mapping[str, int] | None = None
) -> ChosenStem:
    """Returns the stem; for `auto` the one that suits the image size, small if the size is not known.

    By the name of an architecture and its smallest images for each stem, it refuses images that are too small.
    """
    if stem not in ("imagenet", "small", "auto"):
        raise ValueError(f"`stem` is imagenet, small or auto, but got {stem!r}.")
    if stem == "auto":
        stem = "small" if image_size is None or min(height_and_width(image_size)) <= LARGEST_SMALL else "imagenet"
    if smallest is not None:
        refuse_small_images(name, stem, image_size, smallest)
    return stem


def refuse_small_images(
    name: str, stem: ChosenStem | None, image_size: int | Sequence[int] | None, smallest: Mapping[str, int] | int
) -> None:
    """Refuses images that are too small for an architecture: `smallest` pixels on the shorter side, of each stem."""
    of_stem = {} if isinstance(smallest, int) else smallest
    fitting = [other for other, pixels in of_stem.items() if image_size and pixels <= min(height_and_width(image_size))]
    remedy = f"Set `stem: {fitting[0]}`, or take another" if fitting else "Take larger images, or another"
    which = f"{name} with the stem {stem} needs" if of_stem else f"{name} needs"
    needed = smallest if isinstance(smallest, int) else smallest[str(stem)]
    refuse_smaller(which, needed, image_size, f"{remedy} architecture.")


def refuse_smaller(what: str, smallest: int, image_size: int | Sequence[int] | None, remedy: str) -> None:
    """Raises a ValueError if images have fewer pixels on their shorter side, unless their size is not known."""
    if image_size is None:
        return
    height, width = height_and_width(image_size)
    if min(height, width) < smallest:
        raise ValueError(f"{what} images of at least {smallest} pixels, but got {height} x {width}. {remedy}")

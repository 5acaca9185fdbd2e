"""The stem, a network's first layers: imagenet downsamples at once, small keeps the resolution of small images."""

from collections.abc import Mapping, Sequence
from typing import Literal

from lit_cnn.sizes import height_and_width

Stem = Literal["imagenet", "small", "auto"]
ChosenStem = Literal["imagenet", "small"]

LARGEST_SMALL = 64
"""Up to this many pixels on the shorter side, `auto` takes the small stem."""


def choose_stem(stem: Stem, image_size: int | Sequence[int] | None) -> ChosenStem:
    """Returns the stem; for `auto` the one that suits the image size, small if the size is not known.

    Raises:
        ValueError: If there is no such stem.
    """
    if stem == "auto":
        return "small" if image_size is None or min(height_and_width(image_size)) <= LARGEST_SMALL else "imagenet"
    if stem not in ("imagenet", "small"):
        raise ValueError(f"`stem` is imagenet, small or auto, but got {stem!r}.")
    return stem


def refuse_small_images(
    name: str, stem: ChosenStem | None, image_size: int | Sequence[int] | None, smallest: Mapping[str, int] | int
) -> None:
    """Refuses images that are too small for a network.

    Args:
        name: Name of the architecture.
        stem: Its stem, if there is a choice.
        image_size: Height and width of the images, in pixels; one number for both; None to refuse none.
        smallest: Shorter side of the smallest images, in pixels; for each stem if there is a choice.

    Raises:
        ValueError: If they are too small; the message says what to change.
    """
    if image_size is None:
        return
    height, width = height_and_width(image_size)
    of_stem = smallest if isinstance(smallest, Mapping) else {}
    needed = smallest if isinstance(smallest, int) else smallest[str(stem)]
    if min(height, width) >= needed:
        return
    fitting = [other for other, pixels in of_stem.items() if pixels <= min(height, width)]
    remedy = f"Set `stem: {fitting[0]}`, or take" if fitting else "Take larger images, or"
    which = f"{name} with the stem {stem}" if of_stem else name
    raise ValueError(
        f"{which} needs images of at least {needed} pixels, but got {height} x {width}. {remedy} another architecture."
    )

"""The first layers: how early a network throws pixels away, which decides what images it suits."""

from collections.abc import Sequence
from typing import Literal

from lit_cnn.sizes import height_and_width

Stem = Literal["imagenet", "small", "auto"]
ChosenStem = Literal["imagenet", "small"]

LARGEST_SMALL = 64
"""Up to this many pixels on the shorter side, `auto` takes the small stem."""


def choose_stem(stem: Stem, image_size: int | Sequence[int]) -> ChosenStem:
    """Returns the stem itself, or for `auto` the one that suits the images.

    Raises:
        ValueError: If there is no such stem.
    """
    if stem == "auto":
        return "small" if min(height_and_width(image_size)) <= LARGEST_SMALL else "imagenet"
    if stem not in ("imagenet", "small"):
        raise ValueError(f"`stem` is imagenet, small or auto, but got {stem!r}.")
    return stem


def refuse_small_images(name: str, stem: ChosenStem, image_size: int | Sequence[int], smallest: dict[str, int]) -> None:
    """Refuses images that are smaller than what a network needs behind this stem.

    Args:
        name: Name of the architecture.
        stem: Its stem.
        image_size: Height and width of the images, in pixels; one number for both.
        smallest: The shorter side of the smallest images of each stem, in pixels.

    Raises:
        ValueError: If they are too small, with what to change.
    """
    height, width = height_and_width(image_size)
    if min(height, width) >= smallest[stem]:
        return
    other = next((s for s, pixels in smallest.items() if pixels <= min(height, width)), None)
    remedy = f"Set `stem: {other}`" if other else "Take larger images"
    raise ValueError(
        f"{name} with the stem {stem} needs images of at least {smallest[stem]} pixels, but got {height} x {width}. "
        f"{remedy}, or another architecture."
    )

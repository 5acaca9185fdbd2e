"""Image sizes as (height, width)."""

from collections.abc import Sequence

ImageSize = int | Sequence[int]


def height_and_width(image_size: int | Sequence[int]) -> tuple[int, int]:
    """Returns (height, width) from one number for both, or from a pair."""
    if isinstance(image_size, int):
        return image_size, image_size
    height, width = image_size
    return height, width

"""Check before images are read that they fit into memory; else the system may kill the process without a message."""

from math import prod

import psutil

from lit_cnn.errors import ConfigError

REMEDY = "Use a smaller --data.image_size."


def gigabytes(number: int) -> str:
    """Returns a number of bytes in words.

    Example:
        >>> gigabytes(40_000 * 10**9), gigabytes(1_234_567_890), gigabytes(1000)
        ('40,000 GB', '1.23 GB', '1e-06 GB')
    """
    return f"{number / 1e9:{',.0f' if number > 1e11 else '.3g'}} GB"


def refuse_too_large(images: int, channels: int, size: tuple[int, int], remedy: str = REMEDY) -> None:
    """Raises a ConfigError with a remedy if images, as bytes, need more memory than is free."""
    needed, free = images * channels * prod(size), psutil.virtual_memory().available
    if needed > free:
        raise ConfigError(
            f"{images:,} images of {size[0]} x {size[1]} pixels need {gigabytes(needed)} of memory, "
            f"but {gigabytes(free)} are free.\n{remedy}"
        )

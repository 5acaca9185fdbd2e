"""Check before images are read that they fit into memory; else the system may kill the process without a message."""

from math import prod

import psutil

from lit_cnn.errors import ConfigError

REMEDY = "Use a smaller --data.image_size."


def refuse_too_large(images: int, channels: int, size: tuple[int, int], remedy: str = REMEDY) -> None:
    """Raises a ConfigError with a remedy if images, as bytes, need more memory than is free."""
    needed, free = images * channels * prod(size), psutil.virtual_memory().available
    if needed > free:
        raise ConfigError(
            f"{images:,} images of {size[0]} x {size[1]} pixels need {needed / 1e9:,.1f} GB of memory, "
            f"but {free / 1e9:,.1f} GB are free.\n{remedy}"
        )

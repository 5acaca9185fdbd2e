"""Reflected borders: behind the edge of a shifted image comes its mirror image, without the edge itself."""

from typing import Any, Literal

import numpy as np
from jaxtyping import Int64
from torch import Tensor

PaddingMode = Literal["zeros", "reflect"]


def reflected(positions: Int64[Tensor, "*n"], size: int) -> Int64[Tensor, "*n"]:
    """Returns positions beyond the first and the last one reflected at these."""
    return size - 1 - (size - 1 - positions.abs()).abs()


def reflect_borders(images: np.ndarray[Any, Any], down: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> None:
    """Overwrites the pixels that came from beyond an image, `[b, h, w]`, by the reflection of those beside them.

    All images of one shift are done together. Their border of s pixels mirrors the s pixels behind the image's edge,
    which are in sight, since `check` allows shifts of less than half an image.
    """
    for shifts, by_axis in ((right, images), (down, images.swapaxes(1, 2))):
        for shift in np.unique(shifts[shifts != 0]):
            view = by_axis if shift > 0 else by_axis[:, :, ::-1]
            s = abs(int(shift))
            of_it = np.flatnonzero(shifts == shift)
            view[of_it, :, :s] = view[of_it, :, 2 * s : s : -1]

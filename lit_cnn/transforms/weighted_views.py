"""Weighted views of an image for test-time augmentation: mirror image and shifts by one pixel."""

from collections.abc import Iterator
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

TestViews = Literal["flip", "flip_translate"]


def weighted_views(
    images: Float[Tensor, "b c h w"], kind: TestViews
) -> Iterator[tuple[float, Float[Tensor, "b c h w"]]]:
    """Yields views of the images with their weights, which sum to 1: each image and its mirror image.

    With "flip_translate" half of the weight is for both shifted by one pixel up and left, or down and right, with
    reflected borders (Jordan 2024, https://arxiv.org/abs/2404.00498, section 3.5).
    """
    if kind == "flip":
        yield 0.5, images
        yield 0.5, images.flip(-1)
        return
    height, width = images.shape[-2:]
    padded = F.pad(images, (1, 1, 1, 1), mode="reflect")
    for weight, start in ((0.25, 1), (0.125, 0), (0.125, 2)):
        shifted = padded[..., start : start + height, start : start + width]
        view = torch.empty_like(images).copy_(shifted)  # keeps the memory format, for which a network is compiled
        yield weight, view
        yield weight, view.flip(-1)

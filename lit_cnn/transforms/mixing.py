"""Mixup and CutMix: augmentations that mix two images and their labels."""

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from lit_cnn.keyed_random import Draws
from lit_cnn.transforms.arguments import ABOVE_0, check_number
from lit_cnn.transforms.augment import Augmentation, Stage
from lit_cnn.transforms.pixels import box, from_rows, to_rows

Inputs = Float[Tensor, "b c h w"]
Mixed = tuple[Inputs, Float[Tensor, "b"]]


class Mixing(Augmentation):
    """Base of Mixup and CutMix: mixes each image with a partner, and returns its share, the weight of its label.

    In a config it is an augmentation like others, but BatchMaker calls it with partners.
    """

    stage = Stage.MIXING
    takes_floats = True  # it mixes normalised images

    def __init__(self, alpha: float = 1.0):
        self.alpha = check_number(self, "alpha", alpha, "a number above 0", ABOVE_0)

    @abstractmethod
    def __call__(self, images: Inputs, partners: Inputs, draws: Draws) -> Mixed:  # type: ignore[override]
        """Returns the mixed images, and the share of each original image, from 0 to 1."""


class Mixup(Mixing):
    """Mixup: the weighted mean of each image and a partner, with the weight from a beta distribution.

    Zhang et al. 2018, https://arxiv.org/abs/1710.09412. Differs: one share for each image, not for each batch.

    Args:
        alpha: Both parameters of the beta distribution: 1 is uniform; below 1, one of the images dominates. The paper
            has 1 for CIFAR-10 and 0.2 for ImageNet.

    Example:
        >>> augment = [Mixup(alpha=0.2)]  # for any data module
    """

    def __call__(self, images: Inputs, partners: Inputs, draws: Draws) -> Mixed:  # type: ignore[override]
        share = draws.beta("share", self.alpha)
        weight = share.to(images.dtype)[:, None, None]
        return from_rows(torch.lerp(to_rows(partners), to_rows(images), weight), images.shape[1]), share


class CutMix(Mixing):
    """CutMix: pastes a box of a partner into each image; the box has the image's aspect ratio.

    Yun et al. 2019, https://arxiv.org/abs/1905.04899. Differs: one box for each image, not for each batch.

    Args:
        alpha: Both parameters of the beta distribution of the share outside of the box, before the border cuts the
            box. The paper has 1, a uniform distribution.

    Example:
        >>> augment = [CutMix()]  # for any data module
    """

    def __call__(self, images: Inputs, partners: Inputs, draws: Draws) -> Mixed:  # type: ignore[override]
        c, h, w = images.shape[1:]
        side = torch.sqrt(1 - draws.beta("share", self.alpha))
        height, width = (side * h).long(), (side * w).long()
        y, x = draws.uniforms("y", "x")
        top, left = (y * h).long() - height // 2, (x * w).long() - width // 2
        rows = to_rows(images)
        down, across = box(rows, c, top, left, height, width)
        share = 1 - down.sum((1, 2)) * across.sum((1, 2)) / (h * w * c)
        # At the weights 0 and 1 `lerp` is exact, and faster than `torch.where` with an expanded mask.
        inside = down.to(images.dtype) * across.to(images.dtype)
        return from_rows(torch.lerp(rows, to_rows(partners), inside), c), share

"""Random images with the sizes of MNIST and CIFAR-10."""

from typing import Any

import torch

from lit_cnn.data.arrays import Arrays
from lit_cnn.data.module import ImageDataModule

SHAPES = {"mnist": (60_000, 10_000, 1, 28), "cifar10": (50_000, 10_000, 3, 32)}


class Noise(ImageDataModule):
    """Random bytes of a dataset's shape, read by the same path as real ones.

    Args:
        name: Whose shape: mnist or cifar10.
        share: Share of the training images.
        settings: Those of every data module; no images are held out unless they say so.
    """

    num_classes = 10
    class_names = [str(c) for c in range(10)]

    def __init__(self, name: str, share: float = 1.0, **settings: Any):
        super().__init__(**{"val_size": 0} | settings)
        train, test, self.in_channels, side = SHAPES[name]
        self.n = {"train": int(train * share), "test": test}
        self.image_size = (side, side)
        self.mean, self.std = [0.5] * self.in_channels, [0.29] * self.in_channels

    def read(self, split: str) -> Arrays:
        """Makes the images."""
        generator = torch.Generator().manual_seed(len(split))
        shape = (self.n[split], *self.image_size, self.in_channels)
        pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        return Arrays(pixels.permute(0, 3, 1, 2), torch.arange(self.n[split]) % 10)

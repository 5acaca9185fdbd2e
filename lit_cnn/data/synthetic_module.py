"""Synthetic images: a smooth pattern per class, shifted, with noise; the same on every machine."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from lit_cnn.data.arrays import Arrays
from lit_cnn.data.memory import REMEDY, refuse_too_large
from lit_cnn.data.module import ImageDataModule
from lit_cnn.keyed_random import key_of, random_bits
from lit_cnn.sizes import height_and_width
from lit_cnn.transforms.placement import Place, put
from lit_cnn.typed_arguments import NonNegativeFloat, PositiveInt


class SyntheticDataModule(ImageDataModule):
    """Synthetic images: a smooth pattern per class, shifted at random, with noise; the same on every machine.

    The shifts favour a convolution; a permutation of the pixels removes this advantage.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of the images.
        image_size: Height and width of the images, in pixels; one number for both.
        train_images: Number of training images.
        test_images: Number of test images.
        noise: Standard deviation of the noise, relative to the patterns'.
        data_seed: Seed of the images, independent of the run's seed.
        **kwargs: Arguments of ImageDataModule.

    Example:
        >>> data = SyntheticDataModule(num_classes=3, image_size=16, train_images=100)
        >>> data.setup("fit")
        >>> next(iter(data.train_dataloader()))[0].shape
        torch.Size([64, 3, 16, 16])
    """

    def __init__(
        self,
        num_classes: PositiveInt = 10,
        in_channels: PositiveInt = 3,
        image_size: PositiveInt | tuple[PositiveInt, PositiveInt] = 32,
        train_images: PositiveInt = 5000,
        test_images: PositiveInt = 1000,
        noise: NonNegativeFloat = 1.0,
        data_seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.image_size = height_and_width(image_size)
        self.images_of = {"train": train_images, "test": test_images}
        self.noise = noise
        self.data_seed = data_seed
        self.class_names = [f"pattern {c}" for c in range(num_classes)]
        # Pixels are 128 + 40 * (pattern + noise).
        self.mean = [128 / 255] * in_channels
        self.std = [40 / 255 * (1 + noise**2) ** 0.5] * in_channels

    def read(self, split: str) -> Arrays:
        """Makes the images; the classes alternate, and the split changes shifts and noise, not the patterns."""
        n, (height, width) = self.images_of[split], self.image_size
        refuse_too_large(n, self.in_channels, self.image_size, f"{REMEDY[:-1]}, or a smaller --data.{split}_images.")
        down, right = height // 8, width // 8  # the largest shifts; the patterns continue beyond the border
        size = (height + 2 * down, width + 2 * right)
        coarse_size = (max(size[0] // 4, 1), max(size[1] // 4, 1))
        coarse = self._normal((self.num_classes, self.in_channels, *coarse_size), "patterns")
        patterns = interpolate(coarse, size=size, mode="bilinear")
        patterns = (patterns - patterns.mean()) / patterns.std()
        labels = torch.arange(n) % self.num_classes
        images = torch.empty(n, self.in_channels, height, width, dtype=torch.uint8)
        for part in torch.arange(n).split(4096):  # in parts, since the noise takes four times the images' memory
            draw = f"{split} {int(part[0])}"
            by_down, by_right = (
                (self._uniform(len(part), f"{draw} {name}") * (2 * most + 1)).long() - most
                for name, most in (("down", down), ("right", right))
            )
            moved = put(patterns[labels[part]], Place(shift=(by_down, by_right)))
            noise = self._normal((len(part), self.in_channels, height, width), draw)
            noisy = moved[:, :, down : down + height, right : right + width] + self.noise * noise
            images[part] = (noisy * 40 + 128).round().clamp(0, 255).byte()
        return Arrays(images, labels)

    def _uniform(self, n: int, what: str) -> Tensor:
        bits = random_bits(key_of(self.data_seed, "synthetic", what), torch.arange(n))
        return ((bits >> 11) & (2**53 - 1)).double() * 2.0**-53

    def _normal(self, shape: tuple[int, ...], what: str) -> Tensor:
        uniform = self._uniform(torch.Size(shape).numel(), what).clamp(min=1e-12)
        return torch.special.ndtri(uniform).float().reshape(shape)

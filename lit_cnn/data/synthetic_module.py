"""Data module of synthetic images."""

from typing import Any

from lit_cnn.data.arrays import Arrays
from lit_cnn.data.module import ImageDataModule
from lit_cnn.data.sources import synthetic
from lit_cnn.errors import ConfigError
from lit_cnn.sizes import height_and_width


class SyntheticDataModule(ImageDataModule):
    """Synthetic images: a smooth pattern per class, shifted at random, with noise; the same on every machine.

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
        num_classes: int = 10,
        in_channels: int = 3,
        image_size: int | tuple[int, int] = 32,
        train_images: int = 5000,
        test_images: int = 1000,
        noise: float = 1.0,
        data_seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        size = height_and_width(image_size)
        for name, value in (
            ("num_classes", num_classes),
            ("in_channels", in_channels),
            ("image_size", min(size)),
            ("train_images", train_images),
            ("test_images", test_images),
        ):
            if value < 1:
                raise ConfigError(f"`{name}` is a number from 1 up, but got {value}.")
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.image_size = size
        self.class_names = [f"pattern {c}" for c in range(num_classes)]
        # Pixels are 128 + 40 * (pattern + noise).
        self.mean = [128 / 255] * in_channels
        self.std = [40 / 255 * (1 + noise**2) ** 0.5] * in_channels
        self.images_of = {"train": train_images, "test": test_images}
        self.noise = noise
        self.data_seed = data_seed

    def read(self, split: str) -> Arrays:
        return synthetic.make_images(
            self.images_of[split],
            self.num_classes,
            self.in_channels,
            self.image_size,
            self.noise,
            self.data_seed,
            split,
        )

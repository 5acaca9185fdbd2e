"""The datasets as LightningDataModules, a few lines for each."""

from pathlib import Path
from typing import Any

from lit_cnn.data import cifar, folder, mnist, sample, synthetic
from lit_cnn.data.arrays import Arrays, channel_statistics
from lit_cnn.data.base import ImageDataModule
from lit_cnn.errors import ConfigError
from lit_cnn.sizes import height_and_width


class MNISTDataModule(ImageDataModule):
    """MNIST: 60,000 and 10,000 handwritten digits, 28 x 28, greyscale.

    LeCun et al. 1998, https://doi.org/10.1109/5.726791.

    Args:
        data_dir: The folder that MNIST/raw/ lies in, or is downloaded to.
        **kwargs: Arguments of ImageDataModule.
    """

    num_classes = 10
    in_channels = 1
    image_size = (28, 28)
    class_names = [str(digit) for digit in range(10)]
    mean = [0.1307]
    std = [0.3081]

    def __init__(self, data_dir: str = "data", **kwargs: Any):
        super().__init__(**kwargs)
        self.data_dir = Path(data_dir).expanduser()

    def prepare_data(self) -> None:
        """Finds or downloads the files."""
        mnist.find_or_download(self.data_dir)

    def read(self, split: str) -> Arrays:
        """Reads and verifies the files."""
        return mnist.read(self.data_dir, split)


class CIFAR10DataModule(ImageDataModule):
    """CIFAR-10: 50,000 and 10,000 images in ten classes, 32 x 32, colour.

    Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf.

    Args:
        data_dir: The folder that cifar-10-batches-py/ lies in, or is downloaded to.
        **kwargs: Arguments of ImageDataModule.
    """

    num_classes = 10
    in_channels = 3
    image_size = (32, 32)
    class_names = cifar.CLASS_NAMES
    mean = [0.4914, 0.4822, 0.4465]
    std = [0.2470, 0.2435, 0.2616]

    def __init__(self, data_dir: str = "data", **kwargs: Any):
        super().__init__(**kwargs)
        self.data_dir = Path(data_dir).expanduser()

    def prepare_data(self) -> None:
        """Finds and verifies the files, or downloads them."""
        cifar.find_or_download(self.data_dir)

    def read(self, split: str) -> Arrays:
        """Reads the files."""
        return cifar.read(self.data_dir, split)


class ImageFolderDataModule(ImageDataModule):
    """Image files in `train/CLASS/*` and `test/CLASS/*`, of any size, greyscale or colour.

    They are decoded once into memory, and normalised with the training images' own mean and deviation.

    Args:
        data_dir: The folder above `train/` and `test/`.
        image_size: Height and width in pixels to resize the images to, one number for both; by default the
            size of the first training image, and images of another size are refused.
        in_channels: 1 to read the images as greyscale, 3 as colour; by default as the first training image.
        **kwargs: Arguments of ImageDataModule.
    """

    def __init__(
        self,
        data_dir: str = "data",
        image_size: int | tuple[int, int] | None = None,
        in_channels: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if in_channels not in (None, 1, 3):
            raise ConfigError(f"`in_channels` is 1 for greyscale or 3 for colour, but got {in_channels}.")
        size = None if image_size is None else height_and_width(image_size)
        if size is not None and min(size) < 1:
            raise ConfigError(f"`image_size` is a number of pixels from 1 up, but got {image_size}.")
        self.data_dir = Path(data_dir).expanduser()
        self.class_names = folder.class_names(self.data_dir)
        self.num_classes = len(self.class_names)
        self.shape = folder.shape_of(self.data_dir, self.class_names, in_channels, size)
        self.in_channels = self.shape.in_channels
        self.image_size = self.shape.image_size
        self.has_test = (self.data_dir / "test").is_dir()

    def read(self, split: str) -> Arrays:
        """Decodes the images."""
        return folder.read(self.data_dir, split, self.class_names, self.shape)

    def statistics(self) -> tuple[list[float], list[float]]:
        """Returns mean and standard deviation of the training images, without those held out."""
        self._read_train()
        return channel_statistics(self._arrays["train"].images)


class SampleDataModule(ImageDataModule):
    """5,000 digits of MNIST that travel with the package: 4,000 to train on, 1,000 to test with.

    For machines without a network or a dataset. Credit and licence: lit_cnn/data/sample/LICENSE.md.

    Args:
        **kwargs: Arguments of ImageDataModule.
    """

    num_classes = 10
    in_channels = 1
    image_size = (28, 28)
    class_names = MNISTDataModule.class_names
    mean = MNISTDataModule.mean
    std = MNISTDataModule.std

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)

    def read(self, split: str) -> Arrays:
        """Reads the file in the package."""
        return sample.read(split)


class SyntheticDataModule(ImageDataModule):
    """Images made from nothing: each class a smooth pattern, shifted at random and covered with noise.

    For tests, benchmarks, and trying a config without its dataset. The same images on every machine.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of the images.
        image_size: Height and width of the images, in pixels; one number for both.
        train_images: Number of training images.
        test_images: Number of test images.
        noise: Standard deviation of the noise, where the patterns' own is 1.
        data_seed: Seed of the images, apart from the run's seed.
        **kwargs: Arguments of ImageDataModule.
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
        """Makes the images."""
        return synthetic.make_images(
            self.images_of[split],
            self.num_classes,
            self.in_channels,
            self.image_size,
            self.noise,
            self.data_seed,
            split,
        )

"""Data modules of the datasets: MNIST, Fashion-MNIST, KMNIST, CIFAR, SVHN, image folders and the sample."""

from pathlib import Path
from typing import Any

from lit_cnn.data.arrays import Arrays, channel_statistics
from lit_cnn.data.cache import default_folder
from lit_cnn.data.image_files import is_folder
from lit_cnn.data.module import ImageDataModule
from lit_cnn.data.sources import cifar, folder, mnist, sample, svhn
from lit_cnn.data.synthetic_module import SyntheticDataModule  # noqa: F401  (makes it known with the others)
from lit_cnn.errors import ConfigError, printable
from lit_cnn.sizes import height_and_width


class FromFiles:
    """Base of data modules with files in torchvision's layout, which are downloaded if they are missing.

    Without `mean` and `std`, images are normalised with those of all training images, computed when they are read.

    Args:
        data_dir: Folder of the dataset's files, in torchvision's layout; they are downloaded if they are missing.
        **kwargs: Arguments of ImageDataModule.
    """

    source: Any  # a module of `sources`, or an object, with `find_or_download` and `read`
    num_classes: int
    class_names: list[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.num_classes = len(cls.class_names)

    def __init__(self, data_dir: str = "data", **kwargs: Any):
        super().__init__(**kwargs)
        self.data_dir = Path(data_dir).expanduser()

    def prepare_data(self) -> None:
        self.source.find_or_download(self.data_dir)

    def read(self, split: str) -> Arrays:
        arrays: Arrays = self.source.read(self.data_dir, split)
        if split == "train" and not hasattr(self, "mean"):
            self.mean, self.std = channel_statistics(arrays.images)
        return arrays


class MNISTDataModule(FromFiles, ImageDataModule):
    """MNIST: 60,000 training and 10,000 test images of digits, 28 x 28, greyscale; MNIST/raw/ in `data_dir`.

    LeCun et al. 1998, https://doi.org/10.1109/5.726791.

    Example:
        >>> data = MNISTDataModule(data_dir="data", batch_size=128)  # read by `setup`
    """

    source = mnist.MNIST
    in_channels = 1
    image_size = (28, 28)
    class_names = [str(digit) for digit in range(10)]
    mean = [0.1307]
    std = [0.3081]


class FashionMNISTDataModule(FromFiles, ImageDataModule):
    """Fashion-MNIST: 60,000 training and 10,000 test images of clothes, 28 x 28, grey; FashionMNIST/raw/ in `data_dir`.

    Xiao, Rasul & Vollgraf 2017, https://arxiv.org/abs/1708.07747.

    Example:
        >>> data = FashionMNISTDataModule(data_dir="data", batch_size=128)  # read by `setup`
    """

    source = mnist.FASHION_MNIST
    in_channels = 1
    image_size = (28, 28)
    class_names = mnist.FASHION_CLASS_NAMES


class KMNISTDataModule(FromFiles, ImageDataModule):
    """Kuzushiji-MNIST: 60,000 training and 10,000 test images of Japanese letters, 28 x 28; KMNIST/raw/ in `data_dir`.

    Clanuwat et al. 2018, https://arxiv.org/abs/1812.01718.

    Example:
        >>> data = KMNISTDataModule(data_dir="data", batch_size=128)  # read by `setup`
    """

    source = mnist.KMNIST
    in_channels = 1
    image_size = (28, 28)
    class_names = mnist.KMNIST_CLASS_NAMES


class CIFAR10DataModule(FromFiles, ImageDataModule):
    """CIFAR-10: 50,000 training and 10,000 test images, 10 classes, 32 x 32; cifar-10-batches-py/ in `data_dir`.

    Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf.

    Example:
        >>> data = CIFAR10DataModule(data_dir="data", batch_size=128)  # read by `setup`
    """

    source = cifar.CIFAR10
    in_channels = 3
    image_size = (32, 32)
    class_names = cifar.CLASS_NAMES
    mean = [0.4914, 0.4822, 0.4465]
    std = [0.2470, 0.2435, 0.2616]


class CIFAR100DataModule(FromFiles, ImageDataModule):
    """CIFAR-100: 50,000 training and 10,000 test images, 100 classes, 32 x 32; cifar-100-python/ in `data_dir`.

    Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf.

    Example:
        >>> data = CIFAR100DataModule(data_dir="data", batch_size=128)  # read by `setup`
    """

    source = cifar.CIFAR100
    in_channels = 3
    image_size = (32, 32)
    class_names = cifar.FINE_CLASS_NAMES


class SVHNDataModule(FromFiles, ImageDataModule):
    """SVHN: 73,257 training and 26,032 test digits of house numbers, 32 x 32, colour; `*.mat` in `data_dir`.

    Netzer et al. 2011, http://ufldl.stanford.edu/housenumbers/nips2011_housenumbers.pdf.

    Example:
        >>> data = SVHNDataModule(data_dir="data", batch_size=128)  # read by `setup`
    """

    source = svhn
    in_channels = 3
    image_size = (32, 32)
    class_names = [str(digit) for digit in range(10)]


class ImageFolderDataModule(ImageDataModule):
    """Image files in `train/CLASS/*` and `test/CLASS/*` or folders below, of any size, greyscale or colour.

    It reads all files with a suffix that Pillow knows; `prepare_data` prints what it leaves out. Images are decoded
    once, into a memory-mapped cache that later runs use while the images stay unchanged; it may be larger than
    memory. They are normalised with the mean and standard deviation of all training images.

    Args:
        data_dir: The folder with `train/` and `test/`.
        image_size: Height and width in pixels to resize the images to, one number for both; by default the
            size of the first training image, and images of another size are refused.
        in_channels: 1 to read the images as greyscale, 3 as colour; by default as the first training image.
        cache: Keep the decoded images in a memory-mapped file; if false, decode them into memory each time.
        cache_dir: Folder of the cache; by default `lit_cnn/` in $XDG_CACHE_HOME or ~/.cache.
        **kwargs: Arguments of ImageDataModule.

    Example:
        >>> data = ImageFolderDataModule(data_dir="pets", image_size=32)  # doctest: +SKIP
    """

    def __init__(
        self,
        data_dir: str = "data",
        image_size: int | tuple[int, int] | None = None,
        in_channels: int | None = None,
        cache: bool = True,
        cache_dir: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if in_channels not in (None, 1, 3):
            raise ConfigError(f"`in_channels` is 1 for greyscale or 3 for colour, but got {in_channels}.")
        size = None if image_size is None else height_and_width(image_size)
        if size is not None and min(size) < 1:
            raise ConfigError(f"`image_size` is a number of pixels from 1 up, but got {image_size}.")
        self.data_dir = Path(data_dir).expanduser()
        self.cache_dir = (Path(cache_dir).expanduser() if cache_dir else default_folder()) if cache else None
        self._folders = folder.class_names(self.data_dir)
        self.class_names = [printable(name) for name in self._folders]
        self.num_classes = len(self.class_names)
        self.shape = folder.shape_of(self.data_dir, self._folders, in_channels, size)
        self.in_channels = self.shape.in_channels
        self.image_size = self.shape.image_size
        self.has_test = is_folder(self.data_dir / "test")
        self._said: set[str] = set()

    def prepare_data(self) -> None:
        """Prints once which files are left out because they are no images."""
        for sentence in folder.what_is_left_out(self.data_dir, self._folders):
            if sentence not in self._said:
                print(sentence, flush=True)
                self._said.add(sentence)

    def read(self, split: str) -> Arrays:
        arrays, mean, std = folder.read(self.data_dir, split, self._folders, self.shape, self.cache_dir)
        if split == "train":
            self.mean, self.std = mean, std
        return arrays


class SampleDataModule(ImageDataModule):
    """Sample dataset: 5,000 digits of MNIST that come with the package, 4,000 for training and 1,000 for testing.

    Credit and licence: lit_cnn/data/sample/LICENSE.md.

    Example:
        >>> data = SampleDataModule(batch_size=32, permute=True)
        >>> data.setup("fit")
        >>> for images, labels in data.train_dataloader():  # a plain loop, without Lightning
        ...     break
        >>> images.shape, labels.shape
        (torch.Size([32, 1, 28, 28]), torch.Size([32]))
    """

    num_classes = 10
    in_channels = 1
    image_size = (28, 28)
    class_names = MNISTDataModule.class_names
    mean = MNISTDataModule.mean
    std = MNISTDataModule.std

    def read(self, split: str) -> Arrays:
        return sample.read(split)

"""Data modules of the datasets: MNIST, Fashion-MNIST, KMNIST, CIFAR, SVHN and the sample."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from lit_cnn.data.arrays import Arrays
from lit_cnn.data.images import resized
from lit_cnn.data.module import ImageDataModule
from lit_cnn.data.own_images import ImageFolderDataModule  # noqa: F401  (makes it known with the others)
from lit_cnn.data.sources import cifar, mnist, sample, svhn
from lit_cnn.data.synthetic_module import SyntheticDataModule  # noqa: F401
from lit_cnn.sizes import height_and_width
from lit_cnn.typed_arguments import PositiveInt


class KnownDataset(ABC):
    """Base of data modules with images of a known size, which can be resized.

    Args:
        image_size: Resize the images to this height and width in pixels, one number for both. Smaller images train
            faster: the time of a convolution falls with their area.
        **kwargs: Arguments of ImageDataModule.
    """

    image_size: tuple[int, int]

    def __init__(self, image_size: PositiveInt | tuple[PositiveInt, PositiveInt] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if image_size is not None:
            self.image_size = height_and_width(image_size)

    def read(self, split: str) -> Arrays:
        arrays = self.read_whole(split)
        return Arrays(resized(arrays.images, self.image_size), arrays.labels)

    @abstractmethod
    def read_whole(self, split: str) -> Arrays:
        """Reads the "train" or "test" images into memory, in their own size."""


class FromFiles(KnownDataset):
    """Base of data modules with files in torchvision's layout, which are downloaded if they are missing.

    Args:
        data_dir: Folder of the dataset's files, in torchvision's layout; they are downloaded if they are missing.
        **kwargs: Arguments of KnownDataset.
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

    def read_whole(self, split: str) -> Arrays:
        arrays: Arrays = self.source.read(self.data_dir, split)
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


class SampleDataModule(KnownDataset, ImageDataModule):
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

    def read_whole(self, split: str) -> Arrays:
        return sample.read(split)

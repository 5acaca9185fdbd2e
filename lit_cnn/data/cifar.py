"""CIFAR-10: 60,000 colour images of 32 x 32 pixels in ten classes.

Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf. Files in torchvision's layout,
`cifar-10-batches-py/`.
"""

from pathlib import Path

import torch

from lit_cnn.data.arrays import Arrays
from lit_cnn.data.download import download
from lit_cnn.errors import DataError

CLASS_NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def find_or_download(data_dir: Path) -> None:
    """Makes sure that the files are there and whole.

    Raises:
        DataError: If a file is missing or broken, or nothing is there and it cannot be downloaded.
    """
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import check_integrity

    folder = data_dir / CIFAR10.base_folder
    if not folder.exists():
        download(CIFAR10, data_dir, f"the folder {folder}", offline="--config vgg_cifar --data SyntheticDataModule")
    meta = (CIFAR10.meta["filename"], CIFAR10.meta["md5"])
    for name, md5 in [*CIFAR10.train_list, *CIFAR10.test_list, meta]:
        if not check_integrity(str(folder / name), md5):
            what = "is not CIFAR-10's file: its checksum differs" if (folder / name).exists() else "is missing"
            raise DataError(f"{folder / name} {what}.\nReplace it, or remove {folder} to have it downloaded anew.")


def read(data_dir: Path, split: str) -> Arrays:
    """Reads the "train" or "test" images; `find_or_download` has verified them."""
    from torchvision.datasets import CIFAR10

    dataset = CIFAR10(str(data_dir), train=split == "train")
    images = torch.from_numpy(dataset.data).permute(0, 3, 1, 2).contiguous()
    return Arrays(images, torch.tensor(dataset.targets))

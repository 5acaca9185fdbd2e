"""SVHN: 73,257 + 26,032 house numbers' digits in colour, 32 x 32 pixels.

Netzer et al. 2011, http://ufldl.stanford.edu/housenumbers/nips2011_housenumbers.pdf. Files in torchvision's
layout, `train_32x32.mat` and `test_32x32.mat`. Its 531,131 easier extra images are not used.
"""

from pathlib import Path

import torch

from lit_cnn.data.arrays import Arrays
from lit_cnn.data.download import download, get
from lit_cnn.data.sources.cifar import channels_to_the_back
from lit_cnn.errors import DataError


def find_or_download(data_dir: Path) -> None:
    """Verifies both files; downloads them if none is there.

    Raises:
        DataError: If a file is missing or broken, or the download fails.
    """
    from torchvision.datasets import SVHN, utils

    files = [SVHN.split_list[split] for split in ("train", "test")]
    files = [(url.replace("http://", "https://"), *rest) for url, *rest in files]
    if not any((data_dir / name).exists() for _, name, _ in files):

        def fetch() -> None:
            for url, name, md5 in files:
                get([url], data_dir / name, md5)

        wanted = " and ".join(str(data_dir / name) for _, name, _ in files)
        offline = "--config vgg_cifar --data SyntheticDataModule"
        download("SVHN", fetch, [url for url, _, _ in files], data_dir, wanted, offline)
    for _, name, md5 in files:
        if not utils.check_integrity(str(data_dir / name), md5):
            what = "is not SVHN's file: its checksum differs" if (data_dir / name).exists() else "is missing"
            both = " and ".join(name for _, name, _ in files)
            raise DataError(f"{data_dir / name} {what}.\nReplace it, or remove {both} to have them downloaded anew.")


def read(data_dir: Path, split: str) -> Arrays:
    """Reads the "train" or "test" images; `find_or_download` has verified the files."""
    from scipy.io import loadmat

    content = loadmat(data_dir / f"{split}_32x32.mat")  # X as [h, w, c, n], the first axis fastest
    labels = torch.from_numpy(content["y"].astype("int64").reshape(-1)) % 10  # the digit 0 has label 10
    return Arrays(channels_to_the_back(content["X"].T, (0, 3, 2, 1)), labels)

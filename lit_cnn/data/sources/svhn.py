"""SVHN: 73,257 + 26,032 house numbers' digits in colour, 32 x 32 pixels.

Netzer et al. 2011, http://ufldl.stanford.edu/housenumbers/nips2011_housenumbers.pdf. Files in torchvision's
layout, `train_32x32.mat` and `test_32x32.mat`. Its 531,131 easier extra images are not used.
"""

from pathlib import Path

import torch

from lit_cnn.data.arrays import Arrays
from lit_cnn.data.download import download, verify
from lit_cnn.data.sources.cifar import channels_to_the_back


def find_or_download(data_dir: Path) -> None:
    """Verifies both files, downloads them if none is there; DataError if one is missing or broken."""
    from torchvision.datasets import SVHN

    files = [SVHN.split_list[split] for split in ("train", "test")]
    known = {data_dir / name: md5 for _, name, md5 in files}
    if not any(path.exists() for path in known):
        urls = [url.replace("http://", "https://") for url, *_ in files]
        archives = [(url, path, md5) for url, (path, md5) in zip(urls, known.items(), strict=True)]
        offline = "--data SyntheticDataModule"
        download("SVHN", archives, urls, data_dir, " and ".join(map(str, known)), offline)
    verify(known, "SVHN", f"{' and '.join(path.name for path in known)} to have them")


def read(data_dir: Path, split: str) -> Arrays:
    """Reads the "train" or "test" images; `find_or_download` has verified the files."""
    from scipy.io import loadmat

    content = loadmat(data_dir / f"{split}_32x32.mat")  # X as [h, w, c, n], the first axis fastest
    labels = torch.from_numpy(content["y"].astype("int64").reshape(-1)) % 10  # the digit 0 has label 10
    return Arrays(channels_to_the_back(content["X"].T, (0, 3, 2, 1)), labels)

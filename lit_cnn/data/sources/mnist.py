"""MNIST, Fashion-MNIST and KMNIST: 60,000 + 10,000 greyscale images of 28 x 28 pixels each, in one format.

Files in torchvision's layout, `NAME/raw/*-ubyte`, unpacked or as `.gz`.
"""

import gzip
import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from lit_cnn.data.arrays import Arrays
from lit_cnn.data.download import download
from lit_cnn.errors import DataError

PREFIXES = {"train": "train", "test": "t10k"}


@dataclass(frozen=True)
class IdxDataset:
    """A dataset of four files in the IDX format.

    The name of a file may be in upper or lower case, with a dash or a dot before `idx3-ubyte`, and end in .gz. The
    digest of the unpacked bytes decides whether it is the right file. If both forms are there, the unpacked is read.
    """

    name: str  # name of torchvision's class and of the folder
    offline: str  # arguments of `fit` for other images of the same shape, for the message
    url: str  # folder of the archives; torchvision's addresses have no https
    digests: Mapping[str, str]  # SHA-256 or MD5 of the unpacked files, in hexadecimal digits
    num_images: Mapping[str, int] = field(default_factory=lambda: {"train": 60_000, "test": 10_000})

    def find_or_download(self, data_dir: Path) -> None:
        """Downloads the four files if none is there. Raises DataError if only some are there, or the download fails."""
        from torchvision import datasets

        raw = data_dir / self.name / "raw"
        missing = [name for name in self.digests if _path(raw, name) is None]
        if len(missing) == len(self.digests):
            dataset = getattr(datasets, self.name)
            files = f"the four files {raw}/*-ubyte (or *-ubyte.gz)"
            archives = [(self.url + name, raw / name, md5) for name, md5 in dataset.resources]
            download(self.name, archives, [self.url], data_dir, files, self.offline)
        elif missing:
            raise DataError(
                f"{raw} is incomplete: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing.\n"
                "Add them, or remove the folder to download the dataset again."
            )

    def read(self, data_dir: Path, split: str) -> Arrays:
        """Reads the "train" or "test" images. Raises DataError if a file is missing or not the dataset's."""
        raw, n = data_dir / self.name / "raw", self.num_images[split]
        images = self._read(raw, f"{PREFIXES[split]}-images-idx3-ubyte", 16, n * 784)
        labels = self._read(raw, f"{PREFIXES[split]}-labels-idx1-ubyte", 8, n)
        return Arrays(images.view(n, 28, 28, 1).permute(0, 3, 1, 2), labels.long())

    def _read(self, raw: Path, name: str, header: int, size: int) -> torch.Tensor:
        """Returns the bytes after the header of a file; header and size are in bytes."""
        path = _path(raw, name)
        if path is None:
            raise DataError(f"{raw / name} is missing.")
        remedy = f"Replace it, or remove {raw} to download it again."
        try:
            with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
                content = bytearray(file.read(header + size + 1))  # one more, to detect a file that is too long
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{path} is broken: {error}\n{remedy}") from error
        kind = "sha256" if len(self.digests[name]) == 64 else "md5"
        wrong = ""
        if len(content) != header + size:
            wrong = f"it should have {header + size:,} bytes"
        elif hashlib.new(kind, content, usedforsecurity=False).hexdigest() != self.digests[name]:
            wrong = "its checksum differs"
        if wrong:
            raise DataError(
                f"{path} is not the file of {self.name}: {wrong} ({len(content):,} bytes unpacked).\n{remedy}"
            )
        return torch.frombuffer(content, dtype=torch.uint8, offset=header)


def _path(raw: Path, name: str) -> Path | None:
    """Returns the path of one of the four files, the unpacked form first."""
    if not raw.is_dir():
        return None
    forms = {form: rank for rank, form in enumerate((name, f"{name}.gz"))}
    ranked = ((forms.get(path.name.lower().replace(".idx", "-idx"), 2), path) for path in raw.iterdir())
    return min(((rank, path) for rank, path in ranked if rank < 2 and path.is_file()), default=(2, None))[1]


_SYNTHETIC = "--data SyntheticDataModule --data.in_channels 1 --data.image_size 28"

MNIST = IdxDataset(
    "MNIST",
    "--data SampleDataModule",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
)
FASHION_MNIST = IdxDataset(
    "FashionMNIST",
    _SYNTHETIC,
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
)
KMNIST = IdxDataset(
    "KMNIST",
    _SYNTHETIC,
    "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    {
        "train-images-idx3-ubyte": "92be26ec9822e900ac425d0a0aa84ced",
        "train-labels-idx1-ubyte": "949e75301f8813e0dc5800dcc320fc52",
        "t10k-images-idx3-ubyte": "bf305b8cd328700fbc17f5acbc2856d2",
        "t10k-labels-idx1-ubyte": "9f55f451c0988b028eccdf7d5cc265ab",
    },
)

FASHION_CLASS_NAMES = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
]  # fmt: skip
KMNIST_CLASS_NAMES = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]

"""MNIST, Fashion-MNIST and KMNIST: 60,000 + 10,000 greyscale images of 28 x 28 pixels each, in one format.

LeCun, Bottou, Bengio & Haffner 1998, https://doi.org/10.1109/5.726791; Xiao, Rasul & Vollgraf 2017,
https://arxiv.org/abs/1708.07747; Clanuwat et al. 2018, https://arxiv.org/abs/1812.01718. Files in torchvision's
layout, `NAME/raw/*-ubyte`, unpacked or as `.gz`.
"""

import gzip
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import md5, sha256
from pathlib import Path

import numpy as np
import torch

from lit_cnn.data.arrays import Arrays
from lit_cnn.data.download import download, get
from lit_cnn.errors import DataError

PREFIXES = {"train": "train", "test": "t10k"}


@dataclass(frozen=True)
class IdxDataset:
    """Four files in the IDX format.

    A file is verified by the digest of its content where that is known; else by the checksum of the archive that
    torchvision downloads, if the archive lies there (an unpacked file beside it by the CRC-32 that the archive
    states); else by its header and size alone.

    Args:
        name: The class of torchvision that downloads it, and the name of its folder.
        offline: What to type in place of it where there is no network.
        mirrors: Where the archives are; torchvision's mirrors are without https.
        digests: SHA-256 of the unpacked files.
        num_images: Number of images in each split.
    """

    name: str
    offline: str
    mirrors: Sequence[str]
    digests: Mapping[str, str] = field(default_factory=dict)
    num_images: Mapping[str, int] = field(default_factory=lambda: {"train": 60_000, "test": 10_000})

    def find_or_download(self, data_dir: Path) -> None:
        """Makes sure that the four files are there.

        Raises:
            DataError: If some are there and some are not, or they are not there and cannot be downloaded.
        """
        from torchvision import datasets

        raw = data_dir / self.name / "raw"
        names = [f"{prefix}-{kind}-ubyte" for prefix in PREFIXES.values() for kind in ("images-idx3", "labels-idx1")]
        missing = [name for name in names if _path(raw, name) is None]
        if len(missing) == len(names):
            dataset = getattr(datasets, self.name)
            files = f"the four files {raw}/*-ubyte (or *-ubyte.gz)"

            def fetch() -> None:
                for archive, checksum in dataset.resources:
                    get([f"{mirror}{archive}" for mirror in self.mirrors], raw / archive, checksum)

            download(self.name, fetch, self.mirrors, data_dir, files, self.offline)
        elif missing:
            raise DataError(
                f"{raw} is incomplete, it lacks {', '.join(missing)}.\n"
                "Put the rest there, or remove the folder to have all of it downloaded anew."
            )

    def read(self, data_dir: Path, split: str) -> Arrays:
        """Reads the "train" or "test" images.

        Raises:
            DataError: If a file is missing or not the dataset's.
        """
        raw, n = data_dir / self.name / "raw", self.num_images[split]
        images = self._read(raw, f"{PREFIXES[split]}-images-idx3-ubyte", struct.pack(">4I", 0x803, n, 28, 28), n * 784)
        labels = self._read(raw, f"{PREFIXES[split]}-labels-idx1-ubyte", struct.pack(">2I", 0x801, n), n)
        return Arrays(images.view(n, 28, 28, 1).permute(0, 3, 1, 2), labels.long())

    def _read(self, raw: Path, name: str, header: bytes, size: int) -> torch.Tensor:
        path = _path(raw, name)
        if path is None:
            raise DataError(f"{raw / name} is missing.")
        remedy = f"Replace it, or remove {raw} to have it downloaded anew."
        content = memoryview(bytearray(len(header) + size + 1))  # one more, to notice a file that is too long
        try:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
                length = 0
                while step := file.readinto(content[length : length + 2**20]):  # gzip makes a copy of each step
                    length += step
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{path} is broken: {error}\n{remedy}") from error
        content = content[:length]
        if wrong := self._fault(path, name, content, header, size):
            raise DataError(f"{path} is not {self.name}'s file: {wrong} ({length:,} bytes unpacked).\n{remedy}")
        return torch.from_numpy(np.frombuffer(content, np.uint8, offset=len(header)))

    def _fault(self, path: Path, name: str, content: memoryview, header: bytes, size: int) -> str:
        """Returns what is wrong with a file's content, or nothing."""
        if name in self.digests:
            return "" if sha256(content).hexdigest() == self.digests[name] else "its checksum differs"
        if len(content) != len(header) + size:
            return f"it should have {len(header) + size:,} bytes"
        if content[: len(header)].tobytes() != header:
            return "its header differs"
        archive = path.with_name(f"{name}.gz")
        if not archive.is_file():
            return ""
        from torchvision import datasets

        packed = archive.read_bytes()
        if md5(packed, usedforsecurity=False).hexdigest() != dict(getattr(datasets, self.name).resources)[archive.name]:
            return f"the checksum of {archive.name} differs"
        return "" if zlib.crc32(content) == struct.unpack("<I", packed[-8:-4])[0] else "its checksum differs"


def _path(raw: Path, name: str) -> Path | None:
    return next((path for path in (raw / name, raw / f"{name}.gz") if path.is_file()), None)


_SYNTHETIC = "--config cnn_mnist --data SyntheticDataModule --data.in_channels 1 --data.image_size 28"

MNIST = IdxDataset(
    "MNIST",
    "--config quickstart",
    ["https://ossci-datasets.s3.amazonaws.com/mnist/"],
    {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
)
FASHION_MNIST = IdxDataset(
    "FashionMNIST", _SYNTHETIC, ["https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"]
)
KMNIST = IdxDataset("KMNIST", _SYNTHETIC, ["https://codh.rois.ac.jp/kmnist/dataset/kmnist/"])

FASHION_CLASS_NAMES = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
]  # fmt: skip
KMNIST_CLASS_NAMES = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]

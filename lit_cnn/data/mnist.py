"""MNIST: 70,000 handwritten digits of 28 x 28 pixels.

LeCun, Bottou, Bengio & Haffner 1998, https://doi.org/10.1109/5.726791. Files in torchvision's layout,
`MNIST/raw/*-ubyte`, unpacked or as `.gz`.
"""

import gzip
import zlib
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from lit_cnn.data.arrays import Arrays
from lit_cnn.data.download import download
from lit_cnn.errors import DataError

# The unpacked files, since torchvision checks only the archives that it downloads.
DIGESTS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def find_or_download(data_dir: Path) -> None:
    """Makes sure that the four files are there.

    Raises:
        DataError: If some are there and some are not, or they are not there and cannot be downloaded.
    """
    raw = data_dir / "MNIST" / "raw"
    missing = [name for name in DIGESTS if _path(raw, name) is None]
    if len(missing) == len(DIGESTS):
        from torchvision.datasets import MNIST

        download(MNIST, data_dir, f"the four files {raw}/*-ubyte (or *-ubyte.gz)", offline="--config quickstart")
    elif missing:
        raise DataError(
            f"{raw} is incomplete, it lacks {', '.join(missing)}.\n"
            "Put the rest there, or remove the folder to have all of it downloaded anew."
        )


def read(data_dir: Path, split: str) -> Arrays:
    """Reads the "train" or "test" images.

    Raises:
        DataError: If a file is not MNIST's, by its checksum.
    """
    prefix = {"train": "train", "test": "t10k"}[split]
    raw = data_dir / "MNIST" / "raw"
    images = _read(raw, f"{prefix}-images-idx3-ubyte", header=16).reshape(-1, 1, 28, 28)
    labels = _read(raw, f"{prefix}-labels-idx1-ubyte", header=8)
    return Arrays(images, labels.long())


def _path(raw: Path, name: str) -> Path | None:
    return next((path for path in (raw / name, raw / f"{name}.gz") if path.is_file()), None)


def _read(raw: Path, name: str, header: int) -> torch.Tensor:
    path = _path(raw, name)
    if path is None:
        raise DataError(f"{raw / name} is missing.")
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is broken: {error}\nReplace it, or remove {raw} to download it anew.") from error
    if sha256(content).hexdigest() != DIGESTS[name]:
        raise DataError(
            f"{path} is not MNIST's file: its checksum differs ({len(content):,} bytes unpacked).\n"
            f"Replace it, or remove {raw} to have it downloaded anew."
        )
    return torch.from_numpy(np.frombuffer(content, dtype=np.uint8, offset=header).copy())

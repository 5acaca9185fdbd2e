"""CIFAR-10 and CIFAR-100: 50,000 + 10,000 colour images of 32 x 32 pixels each, in ten and in 100 classes.

Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf. Files in torchvision's layout,
`cifar-10-batches-py/` and `cifar-100-python/`.
"""

import gzip
import pickle
import tarfile
import tempfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lit_cnn.data.arrays import Arrays
from lit_cnn.data.download import download, verify, writing
from lit_cnn.errors import DataError

ARRAY_PARTS = {
    *((f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
    *{("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")},
}
BROKEN = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, DataError)


@dataclass(frozen=True)
class CifarDataset:
    """A CIFAR dataset: pickled batches of images, each with a checksum."""

    name: str  # without the hyphen it is the name of torchvision's class, which has files and checksums
    label_key: str  # key of the labels in the batches
    offline: str  # arguments of `fit` for other images of the same shape, for the message

    @property
    def _dataset(self) -> Any:
        from torchvision import datasets

        return getattr(datasets, self.name.replace("-", ""))

    def find_or_download(self, data_dir: Path) -> None:
        """Verifies the files, downloads them if none is there; DataError if one is missing or broken."""
        dataset = self._dataset
        folder, archive = data_dir / dataset.base_folder, data_dir / dataset.filename
        if not folder.exists() and not (archive.is_file() and self._unpack(archive, folder)):
            name, archives = self.name.replace("-", ""), [(dataset.url, archive, dataset.tgz_md5)]
            download(name, archives, [dataset.url], data_dir, f"the folder {folder}", self.offline)
            self._unpack(archive, folder, verified=False)  # a wrong file is reported below
        verify(self._files(folder), self.name, f"{folder} to have it")

    def _files(self, folder: Path) -> dict[Path, str]:
        """Returns the MD5 of each file."""
        dataset = self._dataset
        files = [*dataset.train_list, *dataset.test_list, (dataset.meta["filename"], dataset.meta["md5"])]
        return {folder / name: md5 for name, md5 in files}

    def _unpack(self, archive: Path, folder: Path, verified: bool = True) -> bool:
        """Extracts the files of a folder from an archive, all at once; it may be another archive than the original.

        If `verified`, leaves nothing and returns False if the archive is broken or a file is not the dataset's.
        """
        with writing(folder), suppress(*(BROKEN if verified else ())):
            with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=archive.parent) as place:
                unpacked = Path(place) / folder.name
                unpacked.mkdir()
                known = self._files(unpacked)
                with tarfile.open(archive) as tar:
                    for member in tar:
                        path = Path(place) / member.name
                        if path in known and (content := tar.extractfile(member)):
                            path.write_bytes(content.read())
                if verified:
                    verify(known, self.name, "")
                if not folder.is_dir():  # else another process was faster
                    unpacked.rename(folder)
            return True
        return False

    def read(self, data_dir: Path, split: str) -> Arrays:
        """Reads the images that `find_or_download` has verified; DataError if a file is not a batch of images."""
        dataset = self._dataset
        files = dataset.train_list if split == "train" else dataset.test_list
        pixels = np.empty(0)
        labels: list[int] = []
        for i, (name, _) in enumerate(files):
            batch, batch_labels = self._read_batch(data_dir / dataset.base_folder / name)
            size = len(batch)
            if not i:  # all batches have one size; a single one is not copied
                pixels = batch if len(files) == 1 else np.empty((len(files) * size, 3072), np.uint8)
            pixels[i * size : (i + 1) * size] = batch
            labels += batch_labels
        return Arrays(channels_to_the_back(pixels.reshape(-1, 3, 32, 32), (0, 2, 3, 1)), torch.tensor(labels))

    def _read_batch(self, path: Path) -> tuple[np.ndarray, list[int]]:
        try:
            with path.open("rb") as file:
                batch = ArraysOnly(file, encoding="latin1").load()
            pixels, labels = batch["data"], batch[self.label_key]
            if pixels.dtype != np.uint8 or pixels.shape != (len(labels), 3072):
                raise ValueError(f"its images are {pixels.dtype} {list(pixels.shape)}")
            return pixels, [int(label) for label in labels]
        except Exception as error:  # a broken pickle raises a dozen kinds
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())
            raise DataError(f"{path} is not a batch of {self.name}: {reason[:150]}. Replace it.") from error


class ArraysOnly(pickle.Unpickler):
    """Safe unpickler: reads only lists, dicts and arrays, and runs no other code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ARRAY_PARTS:
            raise pickle.UnpicklingError(f"it would run {module}.{name}")
        return super().find_class(module, name)


def channels_to_the_back(pixels: np.ndarray, axes: tuple[int, int, int, int]) -> torch.Tensor:
    """Converts contiguous images to channels_last in place, without a second copy, and returns them as `[n, c, h, w]`.

    `axes` are the positions of images, height, width and channels among the axes of `pixels`.
    """
    n, h, w, c = (pixels.shape[axis] for axis in axes)
    reordered = pixels.reshape(n, h, w, c)  # the same memory, read in the new order
    for start in range(0, n, 1000):
        reordered[start : start + 1000] = pixels[start : start + 1000].transpose(axes).copy()
    return torch.from_numpy(reordered).permute(0, 3, 1, 2)


CIFAR10 = CifarDataset("CIFAR-10", "labels", "--data SyntheticDataModule")
CIFAR100 = CifarDataset("CIFAR-100", "fine_labels", f"{CIFAR10.offline} --data.num_classes 100")

CLASS_NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
FINE_CLASS_NAMES = [
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy",
    "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock",
    "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish",
    "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
    "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange",
    "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine",
    "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk",
    "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
    "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale",
    "willow_tree", "wolf", "woman", "worm",
]  # fmt: skip

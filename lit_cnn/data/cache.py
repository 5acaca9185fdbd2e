"""Cache of decoded images: a memory-mapped file, so that an image folder is decoded only once.

A cache is one file: first the bytes of the images `[n, h, w, c]`, then an .npz archive with the labels, a CRC-32 of
each block of images, a fingerprint of each image, and other metadata. The file is complete from the start: it is
written under another name and renamed.
"""

import errno
import mmap
import os
import shutil
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from numpy.lib.npyio import NpzFile

from lit_cnn import files
from lit_cnn.data.arrays import Arrays, channel_counts, statistics_of
from lit_cnn.data.copies import Fingerprints, fingerprints
from lit_cnn.data.memory import gigabytes
from lit_cnn.errors import DiskError

VERSION = 4  # another when the same files give other pixels or another layout
BLOCK_BYTES = 2**20
VERIFIED_BLOCKS = 128  # checked at each opening, evenly spaced from the first to the last: 30 ms at 4 GB/s
END_OF_ARCHIVE, END_BYTES = b"PK\5\6", 22  # how the record that ends an .npz file starts, and its length

# Yields all images in blocks `[b, h, w, c]` of the given length, in order.
Decoder = Callable[[int], Iterator[UInt8[np.ndarray, "b h w c"]]]


class Content(NamedTuple):
    """The images of a part, read from the file when they are used, and their statistics from decoding."""

    arrays: Arrays
    mean: list[float]  # of each channel, on a scale from 0 to 1
    std: list[float]
    prints: Fingerprints


class Unusable(Exception):
    """Reason why a cache has to be rebuilt."""


def default_folder() -> Path:
    """Returns the default folder of caches: `lit_cnn/` in the user's cache folder.

    Without a writable home, as in some containers, it is a temporary folder, and a line is printed.
    """
    if named := os.environ.get("XDG_CACHE_HOME"):
        return Path(named) / "lit_cnn"
    try:
        folder = Path.home() / ".cache" / "lit_cnn"
        there = next(place for place in (folder, *folder.parents) if os.path.exists(place))
        if there == folder or os.access(there, os.W_OK | os.X_OK):
            return folder
        reason = f"{there} cannot be written"
    except RuntimeError:  # no HOME, and no such user
        reason = "This user has no home folder"
    folder = Path(tempfile.gettempdir()) / f"lit_cnn-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    print(f"{reason}: decoded images are cached in {folder}. --data.cache_dir sets another folder.", flush=True)
    return folder


def open_or_build(
    path: Path, key: str, labels: Int64[np.ndarray, "n"], image_shape: tuple[int, int, int], decode: Decoder
) -> Content:
    """Opens the cache; builds it first if it is missing, damaged, or of other images than `key`, their fingerprint.

    If several processes start together, one builds it and the others wait.
    """
    try:
        with suppress(Unusable):
            return _open(path, key)
        with _lock(path):
            try:
                return _open(path, key)  # another process has built it
            except Unusable as reason:
                if path.exists():
                    print(f"{path} {reason}: it is written again.", flush=True)
            _build(path, key, labels, image_shape, decode)
            return _open(path, key)
    except OSError as error:
        raise DiskError(
            f"{path}, the cache of the decoded images, cannot be used: {error.strerror or error}.\n"
            "Set another folder with --data.cache_dir, or keep the images in memory with --data.cache false."
            f"{' A smaller --data.image_size helps too.' if error.errno == errno.ENOSPC else ''}"
        ) from error


def _open(path: Path, key: str) -> Content:
    if not path.exists():
        raise Unusable("is missing")
    with path.open("rb") as file:
        file.seek(max(os.fstat(file.fileno()).st_size - END_BYTES, 0))
        if file.read(len(END_OF_ARCHIVE)) != END_OF_ARCHIVE:
            raise Unusable("is truncated or not a cache")
        try:
            content = dict(NpzFile(file))  # verifies the checksums of the archive
            n, *image_shape = content["shape"].tolist()
            mapped = mmap.mmap(file.fileno(), n * prod(image_shape), access=mmap.ACCESS_READ)
        except Exception as error:  # a damaged archive raises a dozen kinds
            raise Unusable("is damaged") from error
    if content["version"] != VERSION:
        raise Unusable("was written by another version of lit_cnn")
    if content["key"] != key:
        raise Unusable("is a cache of other images")
    checksums, block_bytes = content["checksums"], int(content["block_length"]) * prod(image_shape)
    for i in sorted({int(i) for i in np.linspace(0, len(checksums) - 1, VERIFIED_BLOCKS)}):
        with memoryview(mapped)[i * block_bytes : (i + 1) * block_bytes] as block:
            if zlib.crc32(block) != checksums[i]:
                raise Unusable("is damaged")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*not writable")  # nothing writes to the images
        images = torch.frombuffer(mapped, dtype=torch.uint8).view(n, *image_shape).permute(0, 3, 1, 2)
    arrays = Arrays(images, torch.from_numpy(content["labels"]))
    return Content(arrays, content["mean"].tolist(), content["std"].tolist(), content["prints"])


def _build(
    path: Path, key: str, labels: Int64[np.ndarray, "n"], image_shape: tuple[int, int, int], decode: Decoder
) -> None:
    needed, free = len(labels) * (prod(image_shape) + 8) + 2**16, shutil.disk_usage(path.parent).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"it takes {gigabytes(needed)}, but {gigabytes(free)} are free")
    block_length = max(BLOCK_BYTES // prod(image_shape), 1)
    checksums, prints = [], []
    counts = torch.zeros(image_shape[2], 256, dtype=torch.int64)
    with files.replacing(path, alone=True) as partial, partial.open("wb") as file:
        for block in decode(block_length):
            file.write(block.data)
            checksums.append(zlib.crc32(block.data))
            prints.append(fingerprints(block))
            counts += channel_counts(torch.from_numpy(block).permute(0, 3, 1, 2))
        mean, std = statistics_of(counts)
        np.savez(
            file,
            version=VERSION,
            key=key,
            shape=[len(labels), *image_shape],
            labels=labels.astype(np.int64),
            block_length=block_length,
            checksums=checksums,
            mean=mean,
            std=std,
            prints=np.concatenate(prints),
        )


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Locks the cache against other processes; the system releases the lock when the process ends."""
    file = path.with_name(f"{path.name}.lock")
    with ExitStack() as held:
        try:
            held.enter_context(files.alone(file, timeout=0))
        except files.Timeout:
            print(f"Another process is writing {path}: waiting for it.", flush=True)
            held.enter_context(files.alone(file))
        yield

"""Cache of decoded images: a memory-mapped file, so that an image folder is decoded only once.

A cache is one file: the images' bytes `[n, h, w, c]`, their labels, a CRC-32 of each block of images, a header
in JSON, and a trailer of fixed size with the header's length and checksum. The trailer is written last, and the
complete file is put in place by an atomic rename.
"""

import errno
import json
import mmap
import os
import shutil
import struct
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from jaxtyping import Int64, UInt8

from lit_cnn import files
from lit_cnn.data.arrays import Arrays, channel_counts, statistics_of
from lit_cnn.errors import DiskError

VERSION = 1
TRAILER = struct.Struct("<8sII")  # magic, bytes of the header, CRC-32 of the header
MAGIC = b"lit_cnn\0"
BLOCK_BYTES = 2**20
VERIFIED_BLOCKS = 128  # checked at each opening, evenly spaced from the first to the last: 30 ms at 4 GB/s

# Calls the given function with each block of images `[b, h, w, c]` and the position of its first image, from several
# threads.
Decoder = Callable[[Callable[[int, UInt8[np.ndarray, "b h w c"]], None], int], None]


@dataclass(frozen=True)
class Cached:
    """The content of a cache.

    Args:
        arrays: The images, read from the file when they are used, and their labels.
        mean: Mean of each channel over all images, on a scale from 0 to 1.
        std: Standard deviation of each channel over all images, on a scale from 0 to 1.
    """

    arrays: Arrays
    mean: list[float]
    std: list[float]


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
    except RuntimeError:  # no HOME, and no such user
        return _temporary_folder("There is no home folder")
    there = next(place for place in (folder, *folder.parents) if os.path.exists(place))
    if there == folder or os.access(there, os.W_OK | os.X_OK):
        return folder
    return _temporary_folder(f"{there} cannot be written")


def _temporary_folder(reason: str) -> Path:
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(tempfile.gettempdir()) / f"lit_cnn-{user}"
    print(f"{reason}: decoded images are cached in {folder}. --data.cache_dir says where else.", flush=True)
    return folder


def open_or_build(
    path: Path, key: str, labels: Int64[np.ndarray, "n"], image_shape: tuple[int, int, int], decode: Decoder
) -> Cached:
    """Opens the cache; builds it first if it is missing, outdated or damaged.

    Of several processes that start together one builds it, and the others wait.

    Args:
        path: The cache's file.
        key: Fingerprint of the images; a cache with another key is outdated.
        labels: The class of each image.
        image_shape: Height, width and channels.
        decode: Decodes the images.

    Raises:
        DiskError: If the cache cannot be written.
    """
    try:
        return _open(path, key)
    except Unusable:
        pass
    with _lock(path):
        try:
            return _open(path, key)  # another process has built it
        except Unusable as reason:
            if path.exists():
                print(f"{path} {reason}: it is written anew.", flush=True)
        _build(path, key, labels, image_shape, decode)
        return _open(path, key)


def _open(path: Path, key: str) -> Cached:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            header = _read_header(file, size)
            if header["key"] != key:
                raise Unusable("is of other images")
            n, *image_shape = header["shape"]
            block_length, image_bytes = header["block_length"], prod(image_shape)
            file.seek(n * image_bytes)
            tail = file.read(size - TRAILER.size - header["length"] - n * image_bytes)
            if len(tail) != 8 * n + 4 * -(-n // block_length) or zlib.crc32(tail) != header["tail_crc"]:
                raise Unusable("is damaged")
            mapped = mmap.mmap(file.fileno(), n * image_bytes, access=mmap.ACCESS_READ)
    except FileNotFoundError as error:
        raise Unusable("is missing") from error
    except OSError as error:
        raise _disk_error(path, error) from error
    _verify(mapped, np.frombuffer(tail, "<u4", offset=8 * n), block_length * image_bytes)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*not writable")  # nothing writes to the images
        images = torch.frombuffer(mapped, dtype=torch.uint8).view(n, *image_shape).permute(0, 3, 1, 2)
    labels = torch.from_numpy(np.frombuffer(tail, "<i8", count=n).astype(np.int64))
    return Cached(Arrays(images, labels), header["mean"], header["std"])


def _read_header(file: BinaryIO, size: int) -> dict[str, Any]:
    if size < TRAILER.size:
        raise Unusable("is truncated")
    file.seek(size - TRAILER.size)
    magic, length, crc = TRAILER.unpack(file.read(TRAILER.size))
    if magic != MAGIC or length > size - TRAILER.size:
        raise Unusable("is truncated or no cache")
    file.seek(size - TRAILER.size - length)
    content = file.read(length)
    if zlib.crc32(content) != crc:
        raise Unusable("is damaged")
    header: dict[str, Any] = json.loads(content)
    if header["version"] != VERSION:
        raise Unusable("is of another version of lit_cnn")
    return header | {"length": length}


def _verify(mapped: mmap.mmap, checksums: UInt8[np.ndarray, "k"], block_bytes: int) -> None:
    for i in sorted({int(i) for i in np.linspace(0, len(checksums) - 1, VERIFIED_BLOCKS)}):
        with memoryview(mapped)[i * block_bytes : (i + 1) * block_bytes] as block:
            if zlib.crc32(block) != checksums[i]:
                raise Unusable("is damaged")


def _build(
    path: Path, key: str, labels: Int64[np.ndarray, "n"], image_shape: tuple[int, int, int], decode: Decoder
) -> None:
    image_bytes = prod(image_shape)
    block_length = max(BLOCK_BYTES // image_bytes, 1)
    checksums = np.zeros(-(-len(labels) // block_length), "<u4")
    counts: list[torch.Tensor] = []
    _check_space(path, len(labels) * (image_bytes + 8) + checksums.nbytes + 2**16)
    try:
        with files.replacing(path, alone=True) as partial, partial.open("wb") as file:

            def write(start: int, block: UInt8[np.ndarray, "b h w c"]) -> None:
                content = block.tobytes()
                written = 0
                while written < len(content):
                    written += os.pwrite(file.fileno(), content[written:], start * image_bytes + written)
                checksums[start // block_length] = zlib.crc32(content)
                counts.append(channel_counts(torch.from_numpy(block).permute(0, 3, 1, 2)))

            decode(write, block_length)
            tail = labels.astype("<i8").tobytes() + checksums.tobytes()
            mean, std = statistics_of(torch.stack(counts).sum(0))
            header = json.dumps(
                {
                    "version": VERSION,
                    "key": key,
                    "shape": [len(labels), *image_shape],
                    "block_length": block_length,
                    "tail_crc": zlib.crc32(tail),
                    "mean": mean,
                    "std": std,
                }
            ).encode()
            file.seek(len(labels) * image_bytes)
            file.write(tail + header + TRAILER.pack(MAGIC, len(header), zlib.crc32(header)))
    except OSError as error:
        raise _disk_error(path, error) from error


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Locks the cache against other processes; the system releases the lock when the process ends."""
    file = path.with_name(f"{path.name}.lock")
    with ExitStack() as held:
        try:
            held.enter_context(files.alone(file, timeout=0))
        except files.Timeout:
            print(f"Another process writes {path}: waiting for it.", flush=True)
            held.enter_context(files.alone(file))
        except OSError as error:
            raise _disk_error(path, error) from error
        yield


def _check_space(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise _disk_error(path, OSError(errno.ENOSPC, f"it takes {needed / 1e9:.3g} GB, but {free / 1e9:.3g} are free"))


def _disk_error(path: Path, error: OSError) -> DiskError:
    return DiskError(
        f"{path}, the cache of the decoded images, cannot be used: {error.strerror or error}.\n"
        "--data.cache_dir says where else it may go; --data.cache false keeps the images in memory."
    )

"""Copies: finds images with equal pixels by their fingerprints; describes copies in two parts or with two labels."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8, UInt64

from lit_cnn.data.layouts.layout import Images
from lit_cnn.errors import printable

Fingerprints = UInt64[np.ndarray, "n"]
EARLIER = {"val": "training images", "test": "training or validation images"}


class Part(NamedTuple):
    """The images of a part (train, val, test): fingerprints of a list of images, and positions in that list."""

    listed: Images
    prints: Fingerprints  # of all images in the list
    positions: Int64[np.ndarray, "m"]  # of the images in this part


def fingerprints(images: UInt8[np.ndarray, "n h w c"]) -> Fingerprints:
    """Returns a fingerprint of the pixels of each image."""
    digests = b"".join(blake2b(image.data, digest_size=8).digest() for image in images)
    return np.frombuffer(digests, np.uint64)


def first_alike(prints: Fingerprints) -> Int64[np.ndarray, "n"]:
    """Returns for each image the position of the first image with the same pixels.

    Example:
        >>> first_alike(np.array([7, 5, 7, 9, 5], np.uint64)).tolist()
        [0, 1, 0, 3, 1]
    """
    _, first, number = np.unique(prints, return_index=True, return_inverse=True)
    return first[number]


def empty(prints: Fingerprints, shape: tuple[int, int, int]) -> Int64[np.ndarray, "m"]:
    """Returns the positions of images of this shape `[h, w, c]` that are black or white all over."""
    levels = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)
    return np.flatnonzero(np.isin(prints, fingerprints(np.tile(levels, (1, *shape)))))


def remarks(parts: Mapping[str, Part], class_names: Sequence[str]) -> list[str]:
    """Describes the images of each part that have a copy in an earlier part, or a copy with another label.

    Args:
        parts: The parts that are known, in the order train, val, test.
        class_names: Those of the labels.
    """
    if not parts:
        return []
    first = first_alike(np.concatenate([part.prints[part.positions] for part in parts.values()]))
    labels = np.concatenate([np.array(part.listed.labels)[part.positions] for part in parts.values()])
    sizes = [len(part.positions) for part in parts.values()]
    number, within = np.repeat(np.arange(len(sizes)), sizes), np.concatenate([np.arange(size) for size in sizes])

    def named(i: int) -> str:
        part = list(parts.values())[number[i]]
        return printable(part.listed.names[part.positions[within[i]]])

    said = []
    for p, part in enumerate(parts):
        copied = np.flatnonzero((number == p) & (number[first] != p) & (labels[first] == labels))
        if len(copied):
            i = copied[0]
            said.append(
                f"{part} images that are copies (equal pixels) of {EARLIER[part]}: {len(copied):,} of {sizes[p]:,}, "
                f"such as {named(i)} of {named(first[i])}. Remove them from one part."
            )
        contradicted = np.flatnonzero((number == p) & (labels[first] != labels))
        if len(contradicted):
            i = contradicted[0]
            pair = [f"{named(j)} ({class_names[labels[j]]})" for j in (i, first[i])]
            said.append(
                f"{part} images of which a copy (equal pixels) has another label: {len(contradicted):,}, such as "
                f"{pair[0]} and {pair[1]}. Correct one of the two labels, or remove both."
            )
    return said

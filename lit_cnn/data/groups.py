"""Groups of images that a split keeps together: copies with equal pixels, and those of one text in their names."""

import re
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import torch
from jaxtyping import Int64
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from lit_cnn.data.arrays import Arrays
from lit_cnn.errors import ConfigError, printable


def compiled(pattern: str | None) -> re.Pattern[str] | None:
    """Returns a regular expression, ready to use; ConfigError if it is none."""
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"`group_pattern` is no regular expression: {pattern!r}: {error}.") from error


def of_images(images: Arrays, names: Sequence[str], pattern: re.Pattern[str] | None) -> Int64[Tensor, "n"] | None:
    """Returns the number of each image's group, or None if each is alone.

    Raises:
        ConfigError: If the pattern is found in no name.
    """
    first: dict[bytes | str, int] = {}
    like = [first.setdefault(digest, i) for i, digest in enumerate(_digests(images))]
    pairs = [(i, j) for i, j in enumerate(like) if i != j]
    if pattern is not None:
        found = [pattern.search(name) for name in names]
        if not any(found):
            raise ConfigError(
                f"`group_pattern` {pattern.pattern!r} is found in no name, such as {printable(names[0])}.\n"
                "It is a regular expression that is searched for in the path below data_dir."
            )
        texts = [match and match[1 if match.re.groups else 0] for match in found]
        pairs += [(i, first.setdefault(f"text {text}", i)) for i, text in enumerate(texts) if text is not None]
    if not pairs:
        return None
    here, there = np.array(pairs).T
    graph = coo_matrix((np.ones(len(here)), (here, there)), shape=(len(names), len(names)))
    return torch.from_numpy(connected_components(graph, directed=False)[1]).long()


def _digests(images: Arrays) -> list[bytes]:
    """Returns a fingerprint of each image's pixels."""
    found = []
    for indices in torch.arange(len(images)).split(1024):
        rows = images.images_at(indices).permute(0, 2, 3, 1).contiguous().numpy()
        found += [blake2b(row.data, digest_size=16).digest() for row in rows]
    return found

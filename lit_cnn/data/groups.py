"""Groups of images that a split keeps together: copies, and images whose names share a text, such as a patient."""

import re
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int64
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from lit_cnn.data.copies import Fingerprints, first_alike
from lit_cnn.errors import ConfigError, printable


def compiled(pattern: str | None) -> re.Pattern[str] | None:
    """Compiles a regular expression; ConfigError if it is not valid."""
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"`group_pattern` is not a regular expression: {pattern!r}: {error}.") from error


def of_images(prints: Fingerprints, names: Sequence[str], pattern: re.Pattern[str] | None) -> Int64[Tensor, "n"] | None:
    """Returns the group number of each image, from fingerprints and names; None if no images belong together.

    Raises:
        ConfigError: If no name has the pattern.
    """
    pairs = [(i, j) for i, j in enumerate(first_alike(prints).tolist()) if i != j]
    if pattern is not None:
        found = [pattern.search(name) for name in names]
        if not any(found):
            raise ConfigError(
                f"`group_pattern` {pattern.pattern!r} matches no path, for example {printable(names[0])}.\n"
                "It is a regular expression, searched for in the path of an image below data_dir."
            )
        texts = [match and match[1 if match.re.groups else 0] for match in found]
        first: dict[str, int] = {}
        pairs += [(i, first.setdefault(text, i)) for i, text in enumerate(texts) if text is not None]
    if not pairs:
        return None
    here, there = np.array(pairs).T
    graph = coo_matrix((np.ones(len(here)), (here, there)), shape=(len(names), len(names)))
    return torch.from_numpy(connected_components(graph, directed=False)[1]).long()

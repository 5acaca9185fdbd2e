"""Downloads through torchvision, with an answer for a machine without a network."""

from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any

from lit_cnn.errors import DataError


def download(dataset: Callable[..., Any], data_dir: Path, files: str, offline: str) -> None:
    """Downloads a dataset of torchvision, which verifies what it gets.

    Args:
        dataset: The torchvision class.
        data_dir: Where the files go, in torchvision's layout.
        files: What has to lie where, for the message when it cannot be had.
        offline: What to type in place of it where there is no network.

    Raises:
        DataError: If the files cannot be downloaded.
    """
    name = getattr(dataset, "__name__", str(dataset))
    print(f"{name} is not in {data_dir.resolve()}: downloading it.", flush=True)
    try:
        dataset(str(data_dir), download=True)
    except (OSError, RuntimeError, HTTPException) as error:  # URLError is an OSError
        sources = getattr(dataset, "mirrors", None) or [getattr(dataset, "url", "its site")]
        reason = " ".join(str(error).split()).rpartition("got: ")[2]
        raise DataError(
            f"{name} is not in {data_dir.resolve()}, and {' and '.join(sources)} did not give it: {reason}\n"
            f"Where there is no network, bring {files}; --data.data_dir says where to look.\n"
            f"Without either: python -m lit_cnn fit {offline}"
        ) from error

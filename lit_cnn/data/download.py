"""Downloads through torchvision, with an answer for a machine without a network."""

from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path

from lit_cnn.errors import DataError


def download(
    name: str, fetch: Callable[[], object], sources: Sequence[str], data_dir: Path, files: str, offline: str
) -> None:
    """Downloads a dataset.

    Args:
        name: What the dataset is called.
        fetch: Downloads and verifies it.
        sources: Where from, for the message when it cannot be had.
        data_dir: Where the files go, in torchvision's layout.
        files: What has to lie where, for that message.
        offline: What to type in place of it where there is no network.

    Raises:
        DataError: If the files cannot be downloaded.
    """
    print(f"{name} is not in {data_dir.resolve()}: downloading it.", flush=True)
    try:
        fetch()
    except (OSError, RuntimeError, HTTPException) as error:  # URLError is an OSError
        reason = " ".join(str(error).split()).rpartition("got: ")[2]
        raise DataError(
            f"{name} is not in {data_dir.resolve()}, and {' and '.join(sources)} did not give it: {reason}\n"
            f"Where there is no network, bring {files}; --data.data_dir says where to look.\n"
            f"Without either: python -m lit_cnn fit {offline}"
        ) from error

"""Downloads of datasets: https only, atomic, with checksums, and with help for machines that are offline."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import file_digest
from hashlib import md5 as new_md5
from http.client import HTTPException
from pathlib import Path
from typing import Any, BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from lit_cnn import files
from lit_cnn.errors import DataError, DiskError

SCHEMES = {"https"}
TIMEOUT = 30.0  # seconds without data
WAITS = (1.0, 4.0)  # seconds before the second and the third attempt
MOST_BYTES = 2**30  # the largest archive is a fifth of that
MEGABYTE = 2**20

Archive = tuple[str, Path, str]  # its URL, where it goes, and its MD5


class Corrupt(OSError):
    """A complete download with the wrong checksum."""


class _Redirects(HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        fp.close()
        _refuse_unsafe(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


FORBIDDEN = "LIT_CNN_NO_DOWNLOADS"  # set to forbid downloads


def download(
    name: str, archives: Iterable[Archive], sources: Sequence[str], data_dir: Path, files: str, offline: str
) -> None:
    """Downloads the archives of a dataset.

    Raises DataError if that fails; it names the sources, the needed files, and `offline`, arguments for other images.
    Raises DiskError if the files cannot be written.
    """
    if os.environ.get(FORBIDDEN):
        raise DataError(f"{name} is not in {data_dir.resolve()}.")
    print(f"{name} is not in {data_dir.resolve()}: downloading it.", flush=True)
    try:
        for url, path, md5 in archives:
            get(url, path, md5)
    except (OSError, HTTPException) as error:  # URLError is an OSError
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{name} is not in {data_dir.resolve()}, and {' and '.join(sources)} failed: {reason}\n"
            f"Without a network, copy {files} here yourself; `data_dir` sets the folder.\n"
            f"Without the dataset, add to the command: {offline}"
        ) from error


def get(url: str, path: Path, md5: str) -> None:
    """Downloads a file, with three attempts; if several processes start together, one downloads and the others wait.

    The path then holds the whole verified file. Raises OSError if the download fails or the checksum is wrong,
    DiskError if the file cannot be written.
    """
    with ExitStack() as held:
        with writing(path):
            held.enter_context(files.alone(path.with_name(f".{path.name}.lock")))
        if not _has(path, md5):  # else another process was faster
            with files.replacing(path, alone=True) as partial, partial.open("wb") as file:
                _fill(file, url, path, md5)


def verify(known: dict[Path, str], dataset: str, anew: str) -> None:
    """Raises DataError if a file is missing or has another MD5; `anew` says what to remove to download all again."""
    for path, md5 in known.items():
        if not _has(path, md5):
            what = f"is not the file of {dataset}: its checksum differs" if path.exists() else "is missing"
            raise DataError(f"{path} {what}.\nReplace it, or remove {anew} downloaded again.")


def _has(path: Path, md5: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file_digest(file, lambda: new_md5(usedforsecurity=False)).hexdigest() == md5


def _fill(file: BinaryIO, url: str, path: Path, md5: str) -> None:
    for wait in (*WAITS, None):
        try:
            _fetch(file, url, path, md5)
            return
        except (OSError, HTTPException) as error:
            if isinstance(error, HTTPError):
                error.close()
            if wait is None or isinstance(error, Corrupt) or (isinstance(error, HTTPError) and error.code < 500):
                raise
            time.sleep(wait)


def _fetch(file: BinaryIO, url: str, path: Path, md5: str) -> None:
    from tqdm.auto import tqdm

    digest, size = new_md5(usedforsecurity=False), 0
    with open_url(url) as response:
        total = int(response.headers.get("Content-Length") or 0)
        with tqdm(total=total or None, desc=path.name, unit="B", unit_scale=True, leave=False, disable=None) as bar:
            with writing(path):
                file.seek(0)
                file.truncate()
            while block := response.read(MEGABYTE):
                size += len(block)
                if size > MOST_BYTES:
                    raise Corrupt(f"{url} has more than {MOST_BYTES:,} bytes")
                digest.update(block)
                with writing(path):
                    file.write(block)
                bar.update(len(block))
    if size < total:
        raise URLError(f"{url} ended after {size:,} of {total:,} bytes")
    if digest.hexdigest() != md5:
        raise Corrupt(f"{url} has the checksum (MD5) {digest.hexdigest()}, not {md5}")


def open_url(url: str) -> Any:
    """Opens a URL; it and all redirects have to be safe. Raises OSError if one is not safe, or cannot be opened."""
    _refuse_unsafe(url)
    return build_opener(_Redirects).open(Request(url, headers={"User-Agent": "lit_cnn"}), timeout=TIMEOUT)


def _refuse_unsafe(url: str) -> None:
    if urlsplit(url).scheme not in SCHEMES:
        raise Corrupt(f"{url} is not an https address")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns an OSError into a DiskError: a dataset's file cannot be written."""
    try:
        yield
    except OSError as error:
        raise DiskError(
            f"{path} cannot be written: {error.strerror or error}.\n"
            "Free some space, or choose another folder with `data_dir`."
        ) from error

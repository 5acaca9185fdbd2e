"""Opening Parquet files, by the optional package pyarrow."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lit_cnn.errors import DataError, not_installed, printable


def parquet(path: Path) -> Any:
    """Opens a file as a pyarrow.parquet.ParquetFile.

    Raises:
        ConfigError: If pyarrow is not installed.
        DataError: If it is no Parquet file.
    """
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise not_installed("A Parquet file", "pyarrow", "parquet") from error
    with _readable(path, (pyarrow.ArrowException, OSError)):
        return ParquetFile(path, memory_map=True)


def rows_of(path: Path, columns: list[str] | None = None, group: int | None = None) -> Any:
    """Reads all rows of a file, or one group of rows, as a pyarrow.Table; errors as for `parquet`."""
    file = parquet(path)
    with _readable(path, OSError):
        return file.read(columns) if group is None else file.read_row_group(group, columns)


@contextmanager
def _readable(path: Path, errors: Any) -> Iterator[None]:
    try:
        yield
    except errors as error:
        reason = " ".join(str(error).split())[:150].rstrip(".: ")
        raise DataError(f"{printable(path)} cannot be read as Parquet: {reason}. Download it again.") from error

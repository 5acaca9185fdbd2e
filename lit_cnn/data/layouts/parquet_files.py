"""Opening Parquet files, by the optional package pyarrow."""

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
    try:
        return ParquetFile(path, memory_map=True)
    except (pyarrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:150]
        raise DataError(f"{printable(path)} cannot be read as Parquet: {reason}. Download it again.") from error

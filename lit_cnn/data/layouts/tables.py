"""Tables of images: a CSV or Parquet file with a path, a label and perhaps a part (train, val, test) in each row."""

import csv
import glob
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lit_cnn.data.image_files import entries, first_of, is_folder, unreadable
from lit_cnn.data.images import open_image
from lit_cnn.data.layouts.layout import (
    PART_OF,
    PARTS,
    Images,
    Layout,
    Options,
    as_label,
    checked,
    in_order,
    labelled,
    which_one,
)
from lit_cnn.data.layouts.parquet_files import rows_of
from lit_cnn.errors import ConfigError, DataError, nearest, printable

PATHS = ("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "img", "img_path")
LABELS = ("label", "class", "target", "category", "class_name", "label_name", "labels")
SPLITS = ("split", "part", "partition", "subset", "set")
SUFFIXES = (".csv", ".tsv", ".parquet")

Table = Mapping[str, Sequence[Any]]  # columns by their names


def find(place: Path, options: Options) -> Layout | None:
    """Returns the layout of a table, or of a folder with one table and at most one other folder; otherwise None."""
    if is_folder(place):
        folders, others = entries(place)
        tables = [name for name in others if name.lower().endswith(SUFFIXES)]
        if not tables or len(folders) > 1 or any(entries(place / name)[0] for name in folders):
            return None
        if len(tables) > 1:
            if any(name.endswith((".npy", ".npz")) for name in others):
                return None
            raise which_one(place, tables)
        place = place / tables[0]
    if not place.name.lower().endswith(SUFFIXES):
        return None
    table = _read(place)
    if not any(table.values()):
        raise DataError(f"{printable(place)} has no rows. It needs one row for each image.")
    names = column(table, options.path_column, PATHS, "path", place)
    classes = column(table, options.label_column, LABELS, "label", place)
    parts = column(table, options.split_column, SPLITS, "split", place, optional=True)
    rows = [_cell(place, i, row) for i, row in enumerate(zip(names, classes, parts, strict=True))]
    folder = Path(options.image_dir).expanduser() if options.image_dir else place.parent
    _refuse_missing(place, folder, [name for name, _, _ in rows])
    of_training = [label for _, label, part in rows if part == "train"]
    class_names = checked(in_order(of_training or [label for _, label, _ in rows]), place)
    there = {part for _, _, part in rows}
    if "train" not in there:
        raise DataError(f"{printable(place)} has no row of the part train, but {', '.join(sorted(there))}.")

    of_parts = {part: [row[:2] for row in rows if row[2] == part] for part in PARTS if part in there}
    return Layout(class_names, {part: partial(_images, folder, own, class_names) for part, own in of_parts.items()})


def _images(folder: Path, rows: Sequence[tuple[str, str]], class_names: list[str]) -> Images:
    names = [name for name, _ in rows]
    paths = [os.path.join(folder, name) for name in names]
    return Images(
        names, labelled(names, [label for _, label in rows], class_names), lambda i: open_image(paths[i]), paths
    )


def column(
    table: Table, given: str | None, known: Sequence[str], what: str, place: Path, optional: bool = False
) -> Sequence[Any]:
    """Returns the column of this name, or the only column with a known name; blank cells for a missing optional one.

    Raises:
        ConfigError: If there is no column of this name; or, without a name, if not exactly one column has a known name.
    """
    columns = list(table)
    if given is not None:
        if given not in table:
            raise ConfigError(
                f"`{what}_column` is {given!r}, but {printable(place)} has the columns {_shown(columns)}."
                f"{nearest(given, columns)}"
            )
        return table[given]
    found = [name for name in columns if name.strip().lower() in known]
    if not found and optional:
        return [""] * len(next(iter(table.values()), ()))
    if len(found) != 1:
        which = f"which of {_shown(found)}" if found else f"which of its columns {_shown(columns)}"
        raise ConfigError(f"{printable(place)}: {which} is the {what}?\nSet it with --data.{what}_column NAME.")
    return table[found[0]]


def _shown(columns: Sequence[str]) -> str:
    return ", ".join(printable(name) for name in columns[:12]) + (" ..." if len(columns) > 12 else "")


def _read(place: Path) -> Table:
    if place.suffix.lower() == ".parquet":
        return rows_of(place).to_pydict()
    try:
        text = place.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{printable(place)} is not text in UTF-8 (byte {error.start}). Save it in UTF-8.") from error
    except OSError as error:
        raise unreadable(place, error) from error
    first = text.partition("\n")[0]
    lines = csv.reader(text.splitlines(), delimiter=max(",;\t", key=first.count))
    head = next(lines, [])
    rows = [row for row in lines if row]
    if twice := [name for name in head if name and head.count(name) > 1]:
        raise DataError(f"{printable(place)} has several columns {printable(twice[0])}. Rename or remove the others.")
    for i, row in enumerate(rows, start=2):
        if len(row) != len(head):
            raise DataError(f"{printable(place)}, row {i} has {len(row)} cells, but the head has {len(head)}.")
    return {name: [row[i] for row in rows] for i, name in enumerate(head)}


def _cell(place: Path, index: int, row: tuple[Any, Any, Any]) -> tuple[str, str, str]:
    """Returns path, label and part of a row; images without a part are training images."""
    where = f"{printable(place)}, row {index + 2}"  # counted as in a spreadsheet, with the header
    name, label, part = ("" if cell is None or cell != cell else as_label(cell) for cell in row)
    if not name.strip():
        raise DataError(f"{where} has no path. Fill it in, or remove the row.")
    if not label.strip():
        raise DataError(f"{where}: {printable(name)} has no label. Fill it in, or remove the row.")
    if part.strip() and part.strip().lower() not in PART_OF:
        raise DataError(f"{where}: {printable(part)!r} is not a part. Use train, val or test, or leave it empty.")
    return name, label, PART_OF.get(part.strip().lower(), "train")


def _refuse_missing(place: Path, folder: Path, names: Sequence[str]) -> None:
    if missing := [name for name in names if not os.path.exists(os.path.join(folder, name))]:
        with_suffix = next(Path(folder).glob(f"{glob.escape(missing[0])}.*"), None)
        write = f" Write {printable(with_suffix.name)}, with its suffix." if with_suffix else ""
        raise DataError(
            f"{printable(place)} names {len(missing):,} of {len(names):,} files that do not exist: "
            f"{first_of(missing)}.{write}\nPaths start from {printable(folder.resolve())}; --data.image_dir sets "
            "another."
        )
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise DataError(f"{printable(place)} names {printable(twice)} twice. Remove one of the rows.")

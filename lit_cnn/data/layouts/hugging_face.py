"""Parquet files of the Hugging Face hub as they lie on disk: images as bytes, with a label in each row.

A file's part is in its name or its folder: `train-00000-of-00002.parquet`, `test/0000.parquet`. Names of classes come
from the schema, where `datasets` keeps them (https://huggingface.co/docs/hub/datasets-image).
"""

import json
import re
from bisect import bisect_right
from collections import defaultdict
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from PIL import Image

from lit_cnn.data.image_files import is_folder
from lit_cnn.data.images import open_image
from lit_cnn.data.layouts.layout import PART_OF, Images, Layout, Options, as_label, checked, in_order, labelled
from lit_cnn.data.layouts.parquet_files import parquet, rows_of
from lit_cnn.data.layouts.tables import column
from lit_cnn.errors import ConfigError, DataError, printable

IMAGES, LABELS = ("image", "img", "picture"), ("label", "labels", "class", "target", "fine_label")
PART = re.compile(rf"(?<![a-z])({'|'.join(PART_OF)})(?![a-z])")
GROUPS = 4  # groups of rows kept in memory: blocks of images are decoded in order, by several threads


def find(place: Path, options: Options) -> Layout | None:
    """Returns the layout of a Parquet file, or a folder of them, with the bytes of images; otherwise None."""
    found = sorted(place.rglob("*.parquet")) if is_folder(place) else [place]
    if not found or found[0].suffix.lower() != ".parquet":
        return None
    image = _image_column(parquet(found[0]).schema_arrow, options, found[0])
    if image is None:
        return None
    root = place if is_folder(place) else place.parent
    files: dict[str, list[Path]] = defaultdict(list)
    for path in found:
        named = PART.findall(path.relative_to(root).as_posix().lower())
        files[PART_OF[named[-1]] if named else "train"].append(path)
    if "train" not in files:
        raise DataError(f"{printable(place)} has Parquet files of {', '.join(files)}, but none for training.")
    labels = {part: _labels(paths, options) for part, paths in files.items()}
    unlabelled = [part for part in labels if part != "train" and not any(labels[part])]
    names = _names(files["train"][0], options) or checked(in_order(labels["train"]), place)
    remarks = [
        f"{printable(place)}: the {len(labels[part]):,} images of the part {part} have no labels and are skipped."
        for part in unlabelled
    ]
    parts = {
        part: partial(_images, root, paths, image, labels[part], names)
        for part, paths in files.items()
        if part not in unlabelled
    }
    return Layout(names, parts, lambda: remarks)


def _image_column(schema: Any, options: Options, place: Path) -> str | None:
    """Returns the name of the column with the images' bytes, or None if there is none."""
    import pyarrow.types as kinds

    def holds_bytes(kind: Any) -> bool:
        if kinds.is_struct(kind):
            return kind.get_field_index("bytes") >= 0
        return kinds.is_binary(kind) or kinds.is_large_binary(kind)

    found = {field.name: field.name for field in schema if holds_bytes(field.type)}
    if len(found) > 1 or options.path_column in found:
        return column({n: [n] for n in found}, options.path_column, IMAGES, "path", place)[0]
    return next(iter(found), None)


def _label_column(path: Path, options: Options) -> tuple[str, Any]:
    schema = parquet(path).schema_arrow
    name = column({field.name: [field.name] for field in schema}, options.label_column, LABELS, "label", path)[0]
    return name, schema


def _names(path: Path, options: Options) -> list[str] | None:
    """Returns the names of the classes that the schema holds, in the order of their numbers."""
    name, schema = _label_column(path, options)
    about = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    names = about.get("info", {}).get("features", {}).get(name, {}).get("names")
    return checked([str(one) for one in names], path) if names else None


def _labels(paths: list[Path], options: Options) -> list[str]:
    """Returns the class name of each row; empty if a row has no class."""
    found: list[str] = []
    for path in paths:
        name, _ = _label_column(path, options)
        names = _names(path, options)
        for row, value in enumerate(rows_of(path, [name])[name].to_pylist()):
            if value is None or value == -1 or value != value:
                found.append("")
            elif isinstance(value, (list, dict)):
                raise ConfigError(f"{printable(path)}: the column {name} contains lists. Set --data.label_column.")
            elif names and isinstance(value, int):
                if not 0 <= value < len(names):
                    raise DataError(f"{printable(path)}, row {row} has the label {value}, but {len(names)} classes.")
                found.append(names[value])
            else:
                found.append(as_label(value))
    return found


def _images(root: Path, paths: list[Path], image: str, labels: list[str], class_names: list[str]) -> Images:
    opened = [parquet(path) for path in paths]
    ends = list(accumulate(file.metadata.num_rows for file in opened))
    relative = [path.relative_to(root).as_posix() for path in paths]
    starts = [0, *ends[:-1]]
    names = [f"{name}/{i}" for name, start, end in zip(relative, starts, ends, strict=True) for i in range(end - start)]
    if "" in labels:
        raise DataError(f"{printable(names[labels.index('')])} has no label. Remove the rows without a label.")
    groups = [list(accumulate(f.metadata.row_group(g).num_rows for g in range(f.num_row_groups))) for f in opened]

    @lru_cache(maxsize=GROUPS)
    def rows(file: int, group: int) -> Any:
        return rows_of(paths[file], [image], group)[image]

    def open_row(index: int) -> Image.Image:
        file = bisect_right(ends, index)
        row = index - starts[file]
        group = bisect_right(groups[file], row)
        cell = rows(file, group)[row - (groups[file][group - 1] if group else 0)].as_py()
        content = cell["bytes"] if isinstance(cell, dict) else cell
        if not content:
            raise DataError(
                f"{printable(names[index])} contains no image, perhaps a path. Download the dataset with its images."
            )
        return open_image(names[index], content)

    return Images(names, labelled(names, labels, class_names), open_row, paths, image)

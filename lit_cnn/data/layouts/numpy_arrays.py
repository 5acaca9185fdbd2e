"""NumPy arrays: an .npz file, or a folder of .npy files, with images and labels, such as `train_images`, `y_test`."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from lit_cnn.data.image_files import entries, is_folder
from lit_cnn.data.layouts.layout import (
    PART_OF,
    Images,
    Layout,
    Options,
    as_label,
    checked,
    in_order,
    labelled,
    which_one,
)
from lit_cnn.errors import DataError, printable

IMAGES = {"images", "image", "imgs", "x", "data", "pixels"}
LABELS = {"labels", "label", "y", "targets", "target", "classes"}
NAMES = (
    "Arrays have to be named images and labels, or train_images, train_labels, test_images, x_train, y_train and so on."
)


def find(place: Path, options: Options) -> Layout | None:
    """Returns the layout of an .npz file, or of a folder with one or with only .npy files; otherwise None."""
    arrays = _arrays(place)
    if arrays is None:
        return None
    pairs: dict[str, dict[str, str]] = {}
    for name in arrays:
        words = re.findall(r"[a-z]+", name.lower())
        part = next((PART_OF[word] for word in words if word in PART_OF), "train")
        for kind, known in (("images", IMAGES), ("labels", LABELS)):
            if set(words) & known:
                if kind in pairs.setdefault(part, {}):
                    raise DataError(
                        f"{printable(place)}: {pairs[part][kind]} and {name} are both {kind} of the part {part}."
                    )
                pairs[part][kind] = name
    if "train" not in pairs:
        raise DataError(f"{printable(place)} contains {', '.join(sorted(arrays)) or 'no arrays'}.\n{NAMES}")
    for part, pair in pairs.items():
        if len(pair) < 2:
            raise DataError(f"{printable(place)} has only {', '.join(pair.values())} of the part {part}.\n{NAMES}")
    labels = {part: _labels(arrays[pair["labels"]](), f"{place}, {pair['labels']}") for part, pair in pairs.items()}
    class_names = checked(in_order(labels["train"]), place)
    return Layout(
        class_names,
        {
            part: partial(_images, place, pair["images"], arrays[pair["images"]], labels[part], class_names)
            for part, pair in pairs.items()
        },
    )


def _arrays(place: Path) -> dict[str, Callable[[], np.ndarray]] | None:
    """Returns the arrays by their names, each read when it is called."""
    if is_folder(place):
        folders, files = entries(place)
        if folders:
            return None
        packed = [name for name in files if name.endswith(".npz")]
        loose = [name for name in files if name.endswith(".npy")]
        if loose and not packed:
            return {Path(name).stem: partial(_load, place / name) for name in loose}
        if len(packed) > 1:
            raise which_one(place, packed)
        if not packed:
            return None
        place = place / packed[0]
    if place.suffix == ".npz":
        return {name: partial(_load, place, name) for name in _names(place)}
    return None


def _names(archive: Path) -> list[str]:
    with _readable(archive), archive.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return list(arrays.files)


def _load(path: Path, name: str | None = None) -> np.ndarray:
    """Returns an array: of an .npz archive, read into memory; or of an .npy file, memory-mapped."""
    with _readable(path):
        if name is None:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return arrays[name]


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a damaged archive raises several kinds
        reason = " ".join(str(error).split())[:150].rstrip(".") or type(error).__name__
        remedy = "Save or download it again."
        if "Object arrays" in reason or "Python objects" in reason:
            reason = "it contains Python objects, which could run code"
            remedy = "Convert each array to numbers or texts, such as np.stack(images), and save it again."
        elif "pickled" in reason:
            reason = "it is not a file of NumPy"
        raise DataError(f"{printable(path)} cannot be read as arrays: {reason}.\n{remedy}") from error


def _labels(values: np.ndarray, where: str) -> list[str]:
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    start = f"{printable(where)} is {values.dtype} {list(values.shape)}"
    if values.ndim != 1 or values.dtype.kind not in "iufUSb":
        remedy = "\nOf one-hot labels, use labels.argmax(1)." if values.ndim == 2 else ""
        raise DataError(f"{start}, but labels have to be whole numbers or texts [n].{remedy}")
    if values.dtype.kind == "f":
        broken = np.flatnonzero(values % 1 != 0)  # NaN too
        if len(broken):
            raise DataError(
                f"{start}, but labels have to be whole numbers or texts: the one of image {broken[0]} is "
                f"{values[broken[0]]:g}.\nCorrect it, or give names in its place."
            )
    texts = np.char.decode(values, "utf-8", "backslashreplace") if values.dtype.kind == "S" else values
    return [as_label(value) for value in texts.tolist()]


def _images(
    place: Path, name: str, read: Callable[[], np.ndarray], labels: list[str], class_names: list[str]
) -> Images:
    where, pixels = f"{printable(place)}, {name}", read()
    pixels = _with_channels_last(pixels, where)
    if len(pixels) != len(labels):
        raise DataError(f"{where} has {len(pixels):,} images, but there are {len(labels):,} labels.")
    scale = _scale(pixels, where)

    def open_row(index: int) -> Image.Image:
        image = np.asarray(pixels[index])
        image = image if scale == 1 else np.rint(image * np.float32(scale))
        return Image.fromarray(image.astype(np.uint8))

    names = [f"{name}/{i}" for i in range(len(labels))]
    files = [place] if place.is_file() else [place / each for each in entries(place)[1]]
    return Images(names, labelled(names, labels, class_names), open_row, files)


def _with_channels_last(pixels: np.ndarray, where: str) -> np.ndarray:
    """Returns images as [n, h, w] or [n, h, w, 3 or 4]."""
    if pixels.ndim == 4 and pixels.shape[3] not in (1, 3, 4) and pixels.shape[1] in (1, 3, 4):
        pixels = pixels.transpose(0, 2, 3, 1)
    if pixels.ndim == 4 and pixels.shape[3] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim == 3 or (pixels.ndim == 4 and pixels.shape[3] in (3, 4)):
        return pixels
    raise DataError(
        f"{where} has the shape {list(pixels.shape)}, but images have to be [n, h, w] or [n, h, w, 1, 3 or 4].\n"
        "Use reshape, such as images.reshape(-1, 28, 28)."
    )


def _scale(pixels: np.ndarray, where: str) -> int:
    """Returns the factor from pixels to bytes: 1, or 255 for numbers from 0 to 1."""
    if not pixels.size:
        raise DataError(f"{where} has the shape {list(pixels.shape)}: there are no pixels.")
    if pixels.dtype.kind not in "biuf":
        raise DataError(f"{where} is {pixels.dtype}, but pixels are numbers. Convert it to uint8 from 0 to 255.")
    if pixels.dtype == np.uint8:
        return 1
    if pixels.dtype == bool:
        return 255
    low, high = float(pixels.min()), float(pixels.max())
    if pixels.dtype.kind in "iu" and 0 <= low <= high <= 255:
        return 1
    if pixels.dtype.kind == "f" and 0 <= low <= high <= 1:  # false for NaN
        return 255
    raise DataError(f"{where} is {pixels.dtype} from {low:.4g} to {high:.4g}. Convert it to uint8 from 0 to 255.")

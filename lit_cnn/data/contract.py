"""What a data module of the user's own has to have and to read; messages on what is missing or wrong."""

from collections.abc import Sequence
from typing import Any

import torch

from lit_cnn.data.arrays import Arrays
from lit_cnn.errors import ConfigError, DataError
from lit_cnn.own_code import place_of_class

ATTRIBUTES = ("num_classes", "in_channels", "image_size", "class_names")


def refuse_incomplete(data: Any) -> None:
    """Raises a ConfigError if a data module lacks an attribute."""
    name = type(data).__name__
    if lacking := [attribute for attribute in ATTRIBUTES if not hasattr(data, attribute)]:
        raise ConfigError(f"The data module {name} has no {', '.join(lacking)}. Set it in the class or its __init__.")
    if not hasattr(data, "views"):  # an argument of ImageDataModule
        place = place_of_class(type(data)) or name
        raise ConfigError(f"The data module {place} has no super().__init__(). Call it first in __init__.")
    if not isinstance(data.image_size, Sequence):
        raise ConfigError(f"The data module {name} has image_size {data.image_size}. Set (height, width).")


def refuse_wrong(data: Any, split: str, arrays: Any) -> None:
    """Raises a DataError if what `read` has returned for a split is not images and labels of the data module."""
    start = f"{type(data).__name__}.read has to return lit_cnn.data.arrays.Arrays"
    if not isinstance(arrays, Arrays):
        raise DataError(f"{start}, but got a {type(arrays).__name__}.")
    if not len(arrays):
        raise DataError(f"{data.dataset_name} has no {split} images.")
    images, labels = arrays.stored_images, arrays.labels
    shape = [data.in_channels, *data.image_size]
    if images.dtype != torch.uint8 or list(images.shape[1:]) != shape or labels.dtype != torch.int64:
        raise DataError(
            f"{start} of images uint8 [n, {', '.join(map(str, shape))}] and labels int64 [n],\n"
            f"but got images {images.dtype} {list(images.shape)} and labels {labels.dtype}.".replace("torch.", "")
        )
    outside = labels[(labels < 0) | (labels >= data.num_classes)]
    if len(outside):
        raise DataError(
            f"{data.dataset_name} has the label {int(outside[0])} in its {split} images, "
            f"but labels of {data.num_classes} classes are 0 to {data.num_classes - 1}."
        )

"""Hints for arguments of other data modules and DataLoaders that ours do not take."""

import inspect
from collections.abc import Iterable
from typing import Any

from lit_cnn.errors import ConfigError, nearest

# Names separated by spaces, with their common hint.
REASONS = {
    "num_workers workers persistent_workers prefetch_factor multiprocessing_context worker_init_fn": (
        "No workers are needed: images are in memory, and a batch is made at once. Remove it."
    ),
    "pin_memory": "The loader pins batches and moves them to the GPU. Remove it.",
    "shuffle sampler batch_sampler generator": (
        "`seed` decides the order of training images, new in each epoch. The others keep their order. Remove it."
    ),
    "drop_last": "Every image is used once, in a smaller last batch too. Remove it.",
    "transform transforms train_transform train_transforms test_transform target_transform": (
        "Use `augment` for random changes, such as [lit_cnn.RandomCrop(4)], and `views` for fixed ones."
    ),
    "normalize normalise": "Images are normalised with the dataset's mean and standard deviation. Remove it.",
    "collate_fn": "A batch is made at once, not from single images. Remove it.",
    "root path data_path dataset_path folder": "The folder of the dataset is `data_dir`.",
    "download": "`prepare_data` downloads a missing dataset. Remove it.",
    "train split": "A data module has train_dataloader(), val_dataloader() and test_dataloader(). Remove it.",
    "val_split validation_split valid_size": "Use `val_size` for the number or share of validation images.",
    "train_batch_size bs": "Use `batch_size` for training, and `eval_batch_size` for evaluation.",
    "val_batch_size test_batch_size": "Use `eval_batch_size`.",
}


class UnknownArgument(ConfigError, TypeError):
    """An unknown argument; also a TypeError, as in Python."""


def refuse(cls: type, names: Iterable[str]) -> None:
    """Raises UnknownArgument for the first unknown argument of a data module, with a hint."""
    for name in names:
        known = sorted({name for base in cls.__mro__ for name in _arguments(base)} - {"self"})
        reasons = (reason for names, reason in REASONS.items() if name in names.split())
        otherwise = f"{nearest(name, known)} Its arguments are {', '.join(known)}.".strip()
        raise UnknownArgument(f"{cls.__name__} has no argument `{name}`. {next(reasons, otherwise)}")


def _arguments(cls: Any) -> list[str]:
    parameters = inspect.signature(cls.__init__).parameters.values() if "__init__" in vars(cls) else []
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]

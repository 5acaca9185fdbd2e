"""Hints for arguments of other data modules and DataLoaders that ours do not take."""

import inspect
from collections.abc import Iterable
from typing import Any

from lit_cnn.errors import ConfigError, nearest

# Names separated by spaces, with their common hint.
REASONS = {
    "num_workers workers persistent_workers prefetch_factor multiprocessing_context worker_init_fn": (
        "The images lie in memory and a whole batch is made at once: no worker is needed. Leave it out."
    ),
    "pin_memory": "Batches are pinned and moved to the GPU by the loader itself. Leave it out.",
    "shuffle sampler batch_sampler generator": (
        "Training images come in a new order each epoch, from `seed`; the others come in their own. Leave it out."
    ),
    "drop_last": "Every image is evaluated once, and a short last batch is trained on. Leave it out.",
    "transform transforms train_transform train_transforms test_transform target_transform": (
        "Give random changes as `augment`, such as [lit_cnn.RandomCrop(4)], and fixed ones as `views`."
    ),
    "normalize normalise": "Images are normalised by the dataset's mean and deviation. Leave it out.",
    "collate_fn": "A batch is made at once, and not from single images. Leave it out.",
    "root path data_path dataset_path folder": "The folder that the dataset lies in or goes to is `data_dir`.",
    "download": "A dataset that is missing is downloaded by `prepare_data`. Leave it out.",
    "train split": "A data module has train_dataloader(), val_dataloader() and test_dataloader(). Leave it out.",
    "val_split validation_split valid_size": "The images to hold out for validation are `val_size`.",
    "train_batch_size bs": "The images in a training batch are `batch_size`; for evaluation, `eval_batch_size`.",
    "val_batch_size test_batch_size": "The images in a batch of an evaluation are `eval_batch_size`.",
}


class UnknownArgument(ConfigError, TypeError):
    """An unknown argument; also a TypeError, as in Python."""


def refuse(cls: type, names: Iterable[str]) -> None:
    """Raises UnknownArgument for the first unknown argument of a data module, with a hint."""
    for name in names:
        known = sorted({name for base in cls.__mro__ for name in _arguments(base)} - {"self"})
        reasons = (reason for names, reason in REASONS.items() if name in names.split())
        otherwise = f"{nearest(name, known)} It takes {', '.join(known)}.".strip()
        raise UnknownArgument(f"{cls.__name__} takes no `{name}`. {next(reasons, otherwise)}")


def _arguments(cls: Any) -> list[str]:
    parameters = inspect.signature(cls.__init__).parameters.values() if "__init__" in vars(cls) else []
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]

"""Warnings about settings that have no effect, or may have none in the user's own code."""

import math
from inspect import unwrap
from itertools import chain
from types import CodeType
from typing import Any

from lit_cnn.data.module import ImageDataModule
from lit_cnn.own_code import own_method
from lit_cnn.training.classifier import LitClassifier
from lit_cnn.transforms.permutation import BLOCK_KINDS
from lit_cnn.typed_arguments import arguments_of

# Settings that work only if another one, their switch, is given.
SWITCHES = {
    "data.permute": ("permute_seed", "permute_kind", "permute_block"),
    "data.cache": ("cache_dir",),
    "model.scheduler": ("scheduler_args", "scheduler_interval"),
}
# Settings that `configure_optimizers` reads.
OF_OPTIMIZERS = (
    "lr",
    "optimizer",
    "optimizer_args",
    "scheduler",
    "scheduler_args",
    "scheduler_interval",
    "param_groups",
)


def without_effect(config: Any, model: LitClassifier, data: ImageDataModule) -> list[str]:
    """Returns sentences about settings of a run that differ from their defaults and have no effect.

    They are no errors: an experiment may turn its permutation off in some variants.
    """
    found = list[str]()
    for switch, names in SWITCHES.items():
        part, _, owner = switch.partition(".")
        given, known = config[part].init_args, arguments_of(type(model if part == "model" else data))
        if given.get(owner, "its default"):
            continue
        idle = [f"{name}: {given[name]}" for name in names if name in known and given.get(name) != known[name][1]]
        off = "false" if given[owner] is False else "null"
        found += [f"{switch} is {off}, so this has no effect: {', '.join(idle)}."] if idle else []
    found += _of_own_optimizers(config.model.init_args, type(model))
    for group in model.groups:
        if group.get("epochs", 0) > (config.trainer.max_epochs or math.inf) > 0:
            found.append(
                f"model.param_groups {group['pattern']!r} has epochs: {group['epochs']}, but the run is shorter. Its "
                "schedule ends with the run."
            )
    seed, kind, block = data.permutation
    if seed is not None and kind in BLOCK_KINDS and (block == 1 if kind == "within_blocks" else _is_all(block, data)):
        found.append(f"data.permute moves no pixel: permute_kind is {kind}, and permute_block is {block}.")
    return found


def _is_all(block: int, data: ImageDataModule) -> bool:
    return tuple(data.image_size) == (block, block)


def _of_own_optimizers(given: Any, cls: type[LitClassifier]) -> list[str]:
    """Returns a sentence on the settings that the user's own `configure_optimizers` may ignore.

    It leaves out those that the method names, and is not needed if the method calls that of its base class.
    """
    place, code = own_method(cls, "configure_optimizers"), getattr(unwrap(cls.configure_optimizers), "__code__", None)
    words = _words_of(code) if place and code else {"super"}
    if "super" in words:
        return []
    known = arguments_of(cls)
    unnamed = [
        f"{name}: {given[name]}"
        for name in OF_OPTIMIZERS
        if name in known and given.get(name) != known[name][1] and name not in words
    ]
    only = "builds the optimizer. These settings have an effect only if it reads them"
    return [f"{place} {only}: {', '.join(unnamed)}."] if unnamed else []


def _words_of(code: CodeType) -> set[str]:
    """Returns the names and texts in a function's code, including those of functions inside it."""
    inner = (_words_of(one) for one in code.co_consts if isinstance(one, CodeType))
    return {*code.co_names, *(text for text in code.co_consts if isinstance(text, str)), *chain.from_iterable(inner)}

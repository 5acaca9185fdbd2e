"""Warnings about settings that have no effect, since another setting turns them off."""

from typing import Any

from lit_cnn.data.module import ImageDataModule
from lit_cnn.training.classifier import LitClassifier
from lit_cnn.transforms.permutation import BLOCK_KINDS
from lit_cnn.typed_arguments import arguments_of

# Settings that work only if another one, their switch, is given.
SWITCHES = {
    "data.permute": ("permute_seed", "permute_kind", "permute_block"),
    "data.cache": ("cache_dir",),
    "model.scheduler": ("scheduler_args", "scheduler_interval"),
}


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
    seed, kind, block = data.permutation
    if seed is not None and kind in BLOCK_KINDS and (block == 1 if kind == "within_blocks" else _is_all(block, data)):
        found.append(f"data.permute moves no pixel: permute_kind is {kind}, and permute_block is {block}.")
    return found


def _is_all(block: int, data: ImageDataModule) -> bool:
    return tuple(data.image_size) == (block, block)

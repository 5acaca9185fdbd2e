"""Experiment files: parsing a grid of variants and seeds.

config: cnn_mnist                    # as for --config; in a list, later ones override; optional
settings: {trainer.max_epochs: 1}    # dotted keys of all cells
axes:
  network:                           # named values: each with another `config`, dotted keys, or both
    MLP: {config: mlp_mnist}
    wide CNN: {model.widths: [12, 12]}
  data.permute: [false, true]        # or one dotted key with its values
seeds: 10                            # 0 to 9; or a list of them
"""

import json
import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from lit_cnn.cli import safe_yaml
from lit_cnn.cli.shipped_configs import find_file
from lit_cnn.errors import ConfigError, nearest

KEYS = ("config", "settings", "axes", "seeds")
TAKEN = ("name", "seed_everything", "resume", "ckpt_path")  # what the experiment sets for each cell


@dataclass(frozen=True)
class Variant:
    """A variant: one point of the grid, without seed."""

    name: str  # its labels joined, valid as a folder name
    labels: dict[str, str]  # label of its value on each axis
    argv: list[str]  # arguments of `fit`


@dataclass(frozen=True)
class Experiment:
    """A parsed experiment file: all combinations of the axes' values, and the seeds."""

    name: str  # name of the file, without suffix
    path: Path
    variants: list[Variant]
    seeds: list[int]


def read_experiment(given: str) -> Experiment:
    """Reads an experiment file, by its path or the name of a shipped one; ConfigError if it is wrong."""
    path = find_file(given, "experiment")
    content = safe_yaml.read(path, "experiment")
    if unknown := [key for key in content if key not in KEYS]:
        known = f"{nearest(unknown[0], list(KEYS))} The keys are {', '.join(KEYS)}."
        raise ConfigError(f"Unknown key {unknown[0]} ({path}).{known}")
    common = {"config": content.get("config") or [], **_mapping(content.get("settings"), "settings", path)}
    axes = _mapping(content.get("axes"), "axes", path)
    points = product(*(_values(axis, values, path) for axis, values in axes.items()))
    variants = [_variant(common, dict(zip(axes, point, strict=True))) for point in points]
    folded = [variant.name.casefold() for variant in variants]  # some file systems ignore case
    if twice := [variant.name for variant in variants if folded.count(variant.name.casefold()) > 1]:
        raise ConfigError(f"{path}: two cells would have the name {twice[0]}. Give the values different names.")
    return Experiment(path.stem, path, variants, seeds_of(content.get("seeds", 1), path))


def seeds_of(given: Any, path: Path) -> list[int]:
    """Returns the seeds from a number or a list, also as text; ConfigError if there are none, or one twice."""
    if isinstance(given, str):
        given = safe_yaml.value_of(given)
    seeds = list(range(given)) if type(given) is int else given
    whole = isinstance(seeds, list) and all(type(seed) is int and seed >= 0 for seed in seeds)
    if not whole or not 0 < len(seeds) == len(set(seeds)):
        raise ConfigError(
            f"seeds: {given} ({path}) has to be a number of seeds, 1 or more, or a list of different ones."
        )
    return seeds


def _mapping(content: Any, name: str, path: Path) -> dict[str, Any]:
    if not isinstance(content, dict | None):
        raise ConfigError(f"{name}: {content} ({path}) has to be a mapping from keys to values.")
    return content or {}


def _values(axis: str, values: Any, path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Returns each value's label and settings."""
    if isinstance(values, list) and values:
        leaf = axis.rpartition(".")[2]
        return [(f"{leaf}={_text(value)}", {axis: value}) for value in values]
    if isinstance(values, dict) and values:
        return [(str(name), _mapping(keys, f"axes.{axis}.{name}", path)) for name, keys in values.items()]
    raise ConfigError(f"axes.{axis}: {values} ({path}) has to be a list of values, or variants by their names.")


def _variant(common: dict[str, Any], point: dict[str, tuple[str, dict[str, Any]]]) -> Variant:
    configs: list[str] = []
    flags: list[str] = []
    for keys in (common, *(keys for _, keys in point.values())):
        for key, value in keys.items():
            if key == "config":
                configs += value if isinstance(value, list) else [value]
            else:
                flags.append(f"--{key}={_text(value)}")
    argv = [argument for config in configs for argument in ("--config", str(config))] + flags
    labels = {axis: label for axis, (label, _) in point.items()}
    name = "_".join(re.sub(r"[^\w.=+-]+", "-", label).strip("-") for label in labels.values())
    return Variant(name or "cell", labels, argv)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

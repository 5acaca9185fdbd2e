"""Flags of a network by its import path: `--model.net PATH --model.net.NAME VALUE ...` becomes one setting.

The parser knows only arguments with annotations. These arguments go to any class or function, which checks them.
"""

import json
from pathlib import Path
from typing import Any

from lit_cnn.cli import safe_yaml

NET = "--model.net"


def gathered(flags: list[str], configs: list[Path]) -> list[str]:
    """Returns the flags with those of the network as one; they override the configs, and the last of a name counts."""
    others, ours = list[str](), list[tuple[str, Any]]()
    rest = list(flags)
    while rest:
        flag = rest.pop(0)
        name, equals, value = flag.partition("=")
        name = name.replace(".init_args", "")
        if name == f"{NET}.help" or not f"{name}.".startswith(f"{NET}."):
            others.append(flag)
            continue
        text = value if equals else rest.pop(0) if rest and not rest[0].startswith("--") else "true"
        ours.append((name[len(NET) + 1 :], safe_yaml.value_of(text)))
    if not ours:
        return flags
    recipe: dict[str, Any] = {"init_args": {}}
    for path in configs:
        model = safe_yaml.read(path).get("model")
        net = (model.get("init_args") or {}).get("net") if isinstance(model, dict) else None
        recipe = _merged(recipe, net or {})
    for key, given in ours:
        if key in ("", "class_path"):
            recipe = _merged(recipe, given)
            continue
        *above, last = key.split(".")
        place = recipe["init_args"]
        for part in above:
            place = place.setdefault(part, {})
        place[last] = given
    return [*others, f"{NET}={json.dumps(recipe)}"]


def _merged(recipe: dict[str, Any], given: Any) -> dict[str, Any]:
    """Returns a network's path and arguments, updated by another setting; for another path it drops the arguments."""
    if not isinstance(given, dict):
        given = {"class_path": given}
    elif not given.keys() & {"class_path", "init_args"}:
        given = {"init_args": given}
    same = given.get("class_path") in (None, recipe.get("class_path"))
    return {**recipe, **given, "init_args": (recipe["init_args"] if same else {}) | (given.get("init_args") or {})}

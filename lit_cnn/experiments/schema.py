"""JSON schema of configs and experiments: with it an editor completes and checks the settings of a YAML file."""

from typing import Any

from lit_cnn.cli.config_schema import any_of, config_schema, setting
from lit_cnn.cli.known_settings import BRANCHES, PARTS, settings_of
from lit_cnn.experiments.grid import TAKEN

OPEN = r"^(model|data)\."  # settings of classes that the file need not name, since a config may
NAMES = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def schema() -> dict[str, Any]:
    """Returns the JSON schema (draft 2020-12) of a config of `fit`, and of an experiment of `ablate`.

    A file is an experiment if it has one of the keys `axes`, `seeds` and `settings`.
    """
    config = config_schema()
    head = {key: config.pop(key) for key in ("$schema", "$defs")}
    is_experiment = {"anyOf": [{"required": [key]} for key in ("axes", "seeds", "settings")]}
    return {
        "$schema": head["$schema"],
        "title": "A config or experiment of lit_cnn",
        "if": is_experiment,
        "then": {"$ref": "#/$defs/experiment"},
        "else": {"$ref": "#/$defs/config"},
        "$defs": head["$defs"] | {"config": config} | _experiment(config["properties"]),
    }


def _experiment(of_config: dict[str, Any]) -> dict[str, Any]:
    """Returns the definition of an experiment and its parts."""
    known = {key: schema for key, schema in of_config.items() if key not in {*TAKEN, "$schema", "trainer", *PARTS}}
    known |= _dotted()
    settings = {"type": "object", "properties": known, "patternProperties": {OPEN: {}}, "additionalProperties": False}
    variant = settings | {"properties": known | {"config": NAMES}}
    variants = {"type": "object", "additionalProperties": {"$ref": "#/$defs/variant"}, "minProperties": 1}
    axes = {
        "type": "object",
        "properties": {key: any_of([_list_of(schema), variants]) for key, schema in known.items()},
        "patternProperties": {OPEN: any_of([_list_of({}), variants])},
        "additionalProperties": variants,
    }
    seeds = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "uniqueItems": True}
    experiment = {
        "type": "object",
        "properties": {
            "$schema": {"type": "string"},
            "config": NAMES | {"description": "The config of all cells, or several that are merged."},
            "settings": settings | {"description": "Settings of all cells, by dotted keys."},
            "axes": axes | {"description": "What is varied: a setting with its values, or variants by their names."},
            "seeds": any_of([{"type": "integer", "minimum": 1}, seeds])
            | {"description": "The number of seeds, from 0 on, or a list of them."},
        },
        "additionalProperties": False,
    }
    return {"experiment": experiment, "variant": variant}


def _dotted() -> dict[str, Any]:
    """Returns the schemas of settings by their dotted keys; if classes share a name, that of any of them."""
    found: dict[str, list[Any]] = {}
    for section in ("trainer", *PARTS, *(branch for branch in BRANCHES if "." not in branch)):
        for known in settings_of(section) or []:
            for name, kind in known.items():
                found.setdefault(f"{section}.{name}", []).append(setting(f"{section}.{name}", kind, None))
    return {key: any_of([one for i, one in enumerate(them) if one not in them[:i]]) for key, them in found.items()}


def _list_of(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}

"""JSON schema of configs: with it an editor completes and checks the settings of a YAML file.

It is read from source code, as `known_settings` does, without importing torch.
"""

from collections.abc import Iterable
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from lit_cnn.cli.known_settings import (
    ARGUMENTS,
    BRANCHES,
    NAMED,
    PARTS,
    TRAINER,
    Known,
    choices,
    classes_of,
    parameters,
    sections,
)
from lit_cnn.cli.short_help import OF_THE_TRAINER, described
from lit_cnn.typed_arguments import Range

PLAIN = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", NoneType: "null"}
OF_THE_COMMAND_LINE = {"config", "print_config", "help"}  # no keys of a file
OWN = {"type": "string", "pattern": r"\."}  # the import path of a class that is not listed
NOT_OURS = {"type": "string", "pattern": r"^(?!lit_cnn\.).*\."}  # the same, of a package whose classes are unknown


def config_schema() -> dict[str, Any]:
    """Returns the JSON schema (draft 2020-12) of a config of `fit`."""
    texts = described(ARGUMENTS, "of_the_run")
    properties = {
        name: setting(name, known, texts.get(name))
        for name, known in sections().items()
        if name not in OF_THE_COMMAND_LINE
    }
    properties |= {branch: {"$ref": f"#/$defs/{branch}"} for branch in ("model", "data")}
    module, cls = TRAINER
    properties["trainer"] = _arguments("trainer.", parameters(cls, module), OF_THE_TRAINER)
    for part, (module, cls) in PARTS.items():
        properties[part] = _arguments("", parameters(cls, module), described(module, cls))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A config of lit_cnn",
        "type": "object",
        "properties": {"$schema": {"type": "string"}} | properties,
        "patternProperties": {r"\.": {}},  # model.lr: 0.1
        "additionalProperties": False,
        "$defs": {branch: _one_of_classes(branch) for branch in BRANCHES},
    }


def _one_of_classes(branch: str) -> dict[str, Any]:
    """Returns the schema of a class with its arguments: a name, or `class_path` and `init_args`."""
    home, base = BRANCHES[branch]
    classes = {base: home} | classes_of(branch)
    names = {cls: [cls, f"lit_cnn.{cls}", f"{module}.{cls}"] for cls, module in classes.items()}
    short_first = [path for paths in zip(*names.values(), strict=True) for path in paths]  # as an editor lists them
    name = {"anyOf": [{"enum": short_first}, NOT_OURS]}
    arguments = [
        {
            "if": {"properties": {"class_path": {"enum": names[cls]}}, "required": ["class_path"]},
            "then": {
                "properties": {
                    "init_args": _arguments(
                        f"{branch}.", parameters(cls, module), described(home, base) | described(module, cls)
                    )
                }
            },
        }
        for cls, module in classes.items()
    ]
    whole = {
        "type": "object",
        "properties": {"class_path": name, "init_args": {"type": "object"}},
        "additionalProperties": False,
        "allOf": arguments,
    }
    return {"anyOf": [name, whole]}


def _arguments(prefix: str, known: dict[str, Known] | None, texts: dict[str, str]) -> dict[str, Any]:
    """Returns the schema of a class's arguments; of any, if they are not known."""
    if known is None:
        return {"type": "object"}
    properties = {name: setting(f"{prefix}{name}", kind, texts.get(name)) for name, kind in known.items()}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def setting(key: str, known: Known, text: str | None) -> dict[str, Any]:
    """Returns the schema of one setting, with its description."""
    if key in BRANCHES:  # a list of classes
        one = {"$ref": f"#/$defs/{key}"}
        schema = {"anyOf": [one, {"type": "array", "items": one}, {"type": "null"}]}
    elif key in NAMED:
        others = [OWN, {"type": "null"}] if key.startswith("model.") else [{}]  # a logger may be a list, a bool, ...
        schema = {"anyOf": [{"enum": choices(key)}, *others]}
    else:
        schema = of_type(known.type)
    return schema | ({"description": text} if text else {})


def of_type(kind: Any) -> dict[str, Any]:
    """Returns the JSON schema of an annotation; of anything, if it is not built of plain types.

    Example:
        >>> of_type(int | None)
        {'anyOf': [{'type': 'integer'}, {'type': 'null'}]}
    """
    origin, inner = get_origin(kind), get_args(kind)
    if kind in PLAIN:
        return {"type": PLAIN[kind]}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin is Annotated:
        ranges = [dict(note.limits) for note in inner[1:] if isinstance(note, Range)]
        return of_type(inner[0]) | (ranges[0] if ranges else {})
    if origin in (Union, UnionType):
        return any_of(map(of_type, inner))
    if origin is dict:
        return {"type": "object"}
    if origin in (list, tuple) or getattr(origin, "__name__", "") == "Sequence":
        items = [of_type(one) for one in inner if one is not ...]
        return {"type": "array", "items": any_of(items)}
    return {}


def any_of(schemas: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Returns the schema of values that fit one of some schemas."""
    found = list(schemas)
    if not found or {} in found:
        return {}
    return found[0] if len(found) == 1 else {"anyOf": found}

"""YAML as plain settings: no objects, no key twice, no more than a config can mean."""

from pathlib import Path
from typing import Any

import yaml
from jsonargparse import set_loader
from jsonargparse._loaders_dumpers import get_loader

from lit_cnn.errors import ConfigError

MOST_BYTES = 2**20
MOST_NODES = 20_000  # with all aliases written out; the longest shipped config has fewer than 200
DEEPEST = 40

PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map", "merge")}
PLAIN |= {"tag:yaml.org,2002:timestamp"}  # which the parser reads as a text

_parse = get_loader("yaml")


class Refused(yaml.YAMLError):
    """Why a text is no settings."""


def load(text: str) -> Any:
    """Returns what a YAML text says.

    Raises:
        yaml.YAMLError: If it is no YAML, has a tag of Python's or a key twice, or is too large or too deep.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    if len(text) > MOST_BYTES:
        raise Refused(f"it has {len(text):,} characters, more than settings need")
    depth = 0
    for event in yaml.parse(text, Loader=loader):  # before composing, which recurses
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise Refused(f"{_line(event)}: it is nested more than {DEEPEST} levels deep")
    root = yaml.compose(text, Loader=loader)
    if root is not None:
        _measure(root, {})
    try:
        return _parse(text)
    except (ValueError, TypeError, RecursionError) as error:  # a number of too many digits
        raise Refused(" ".join(str(error).split())) from error


def _measure(node: yaml.Node, seen: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Returns how many nodes and levels there are below, aliases written out, and refuses what is not plain."""
    if id(node) in seen:
        size, height = seen[id(node)]
        if not size:
            raise Refused(f"{_line(node)}: an alias holds itself")
        return size, height
    seen[id(node)] = (0, 0)
    if node.tag not in PLAIN:
        tag = node.tag.replace("tag:yaml.org,2002:", "!!")
        raise Refused(f"{_line(node)}: the tag {tag[:80]} is not allowed, since a config holds plain values")
    below = []
    if isinstance(node, yaml.MappingNode):
        _refuse_repeated_keys(node)
        below = [part for pair in node.value for part in pair]
    elif isinstance(node, yaml.SequenceNode):
        below = node.value
    parts = [_measure(part, seen) for part in below]
    size, height = 1 + sum(s for s, _ in parts), 1 + max((h for _, h in parts), default=0)
    if size > MOST_NODES:
        raise Refused(f"{_line(node)}: its aliases stand for {size:,} values, more than settings need")
    if height > DEEPEST:
        raise Refused(f"{_line(node)}: it is nested more than {DEEPEST} levels deep")
    seen[id(node)] = size, height
    return size, height


def _refuse_repeated_keys(node: yaml.MappingNode) -> None:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise Refused(f"{_line(key)}: a key is a text, and no list or mapping")
        if key.value in lines and key.tag != "tag:yaml.org,2002:merge":
            raise Refused(f"{_line(key)}: the key {key.value[:80]} is there twice, first in line {lines[key.value]}")
        lines[key.value] = key.start_mark.line + 1


def read(path: Path) -> dict[str, Any]:
    """Returns the settings of a config.

    Raises:
        ConfigError: If it cannot be read, or holds no settings.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1).decode()
        content = load(text)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not a config: it is no text in UTF-8 (byte {error.start}).") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {_reason(error, text)}.") from error
    if not isinstance(content, dict):
        kind = {"list": "a list", "str": "a text"}.get(type(content).__name__, "a single value")
        what = "it is empty" if content is None else f"it holds {kind}"
        raise ConfigError(f"{path} is not a config: {what}. Settings are lines of `key: value`.")
    return content


def use() -> None:
    """Has the parser read all YAML by `load`."""
    set_loader("yaml", load, (yaml.YAMLError,))


def _reason(error: yaml.YAMLError, text: str) -> str:
    if not isinstance(error, yaml.MarkedYAMLError):
        return " ".join(str(error).split()).rstrip(".")
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    lines = text.splitlines()
    tab = mark and mark.line < len(lines) and "\t" in lines[mark.line]
    return f"{where}{error.problem or error.context}" + (". There is a tab; indent by spaces" if tab else "")


def _line(place: Any) -> str:
    return f"line {place.start_mark.line + 1}"

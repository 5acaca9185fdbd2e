"""Safe YAML for configs: plain values only, keys as written, no duplicate keys, limited size and depth."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonargparse._loaders_dumpers import get_yaml_default_loader

from lit_cnn.errors import ConfigError
from lit_cnn.runs.class_paths import up_to_date

MOST_BYTES = 2**20
MOST_NODES = 20_000  # with aliases expanded; the longest shipped config has fewer than 200
DEEPEST = 40
TOO_DEEP = f"it is nested more than {DEEPEST} levels deep"

PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map", "merge")}
PLAIN |= {"tag:yaml.org,2002:timestamp"}  # the parser reads a date as text

MERGE, TEXT = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:str"
DIGITS = "[0-9][0-9_]*"
NUMBERS = {
    "tag:yaml.org,2002:int": re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$"),
    "tag:yaml.org,2002:float": re.compile(
        rf"[-+]?(?:{DIGITS}\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.{DIGITS}(?:[eE][-+]?[0-9]+)?|{DIGITS}[eE][-+]?[0-9]+"
        r"|\.(?:inf|Inf|INF))$|\.(?:nan|NaN|NAN)$"
    ),
}


class _Loader(get_yaml_default_loader()):  # type: ignore[misc]
    """The parser's loader, where dates are text and 1e3 is a number; here 010 is not 8 and 1:30:00 not 5400."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, NUMBERS.get(tag, pattern)) for tag, pattern in resolvers]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


class Refused(yaml.YAMLError):
    """Reason why a text is not accepted as settings."""


def load(text: str) -> Any:
    """Parses a YAML text; keys are strings, so that `no`, `on`, `null` and `1.0` stay as written."""
    if len(text) > MOST_BYTES:
        raise Refused(f"it has {len(text):,} characters, too many for a config")
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        for number, _ in enumerate(_checked(root, ()), 1):
            if number > MOST_NODES:
                raise Refused(f"its aliases stand for more than {MOST_NODES:,} values, too many for a config")
        content = up_to_date(loader.construct_document(root))
    except RecursionError as error:
        raise Refused(TOO_DEEP) from error
    except (ValueError, TypeError) as error:  # a number with too many digits
        raise Refused(f"a value in it cannot be read: {' '.join(str(error).split())}") from error
    finally:
        loader.dispose()
    return text if _is_shorthand(content, text) else content


def value_of(text: str) -> Any:
    """Returns a typed text as the value that it stands for, or itself if it is not valid YAML."""
    try:
        return load(text)
    except yaml.YAMLError:
        return text


def text_of(value: Any) -> str:
    """Returns a value as it is written in a config; a text as it is.

    Example:
        >>> text_of(None), text_of(True), text_of([8, "x"]), text_of({"a": None})
        ('null', 'true', '[8, x]', '{a: null}')
    """
    try:
        whole = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=MOST_BYTES)
    except yaml.YAMLError:  # an object, given in Python
        return str(value)
    return value if isinstance(value, str) else whole.removesuffix("...\n").strip()


def _is_shorthand(content: Any, text: str) -> bool:
    """Whether a text such as `{a,b}` or `a:` is meant literally, as in the parser."""
    if not isinstance(content, dict) or not content or any(value is not None for value in content.values()):
        return False
    text = text.strip()
    return text == f"{next(iter(content))}:" or set(text.strip(" {}").replace(" ", "").split(",")) == set(content)


def _checked(node: yaml.Node, above: tuple[yaml.Node, ...]) -> Iterator[yaml.Node]:
    """Yields a node and all below, with aliases expanded; refuses values that are not plain. Keys become texts."""
    where = f"line {node.start_mark.line + 1}"
    if any(node is one for one in above):
        raise Refused(f"{where}: an alias contains itself")
    if len(above) >= DEEPEST:
        raise Refused(f"{where}: {TOO_DEEP}")
    if node.tag not in PLAIN:
        tag = node.tag.replace("tag:yaml.org,2002:", "!!")
        raise Refused(f"{where}: the tag {tag[:80]} is not allowed: a config contains only plain values")
    yield node
    if isinstance(node, yaml.SequenceNode):
        for part in node.value:
            yield from _checked(part, (*above, node))
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise Refused(f"line {line}: a key has to be a text, not a list or mapping")
            if key.tag != MERGE:
                if not key.value:
                    raise Refused(f"line {line}: a key is empty")
                if key.value in lines:
                    raise Refused(
                        f"line {line}: the key {key.value[:80]} occurs twice, first in line {lines[key.value]}"
                    )
                lines[key.value] = line
                key.tag = TEXT if key.tag in PLAIN else key.tag
            for part in (key, value):
                yield from _checked(part, (*above, node))


def read(path: Path, kind: str = "config") -> dict[str, Any]:
    """Reads a file of settings, which should be a `kind`.

    Raises:
        ConfigError: If it cannot be read, or has no settings.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1).decode()
        content = load(text)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not a valid {kind}: it is not text in UTF-8 (byte {error.start}).") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {_reason(error, text)}.") from error
    if not isinstance(content, dict):
        holds = {"list": "a list", "str": "a text"}.get(type(content).__name__, "a single value")
        what = "it is empty" if content is None else f"it contains {holds}"
        raise ConfigError(f"{path} is not a valid {kind}: {what}. Settings are lines of `key: value`.")
    return content


def _reason(error: yaml.YAMLError, text: str) -> str:
    if not isinstance(error, yaml.MarkedYAMLError):
        return " ".join(str(error).split()).rstrip(".")
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    lines = text.splitlines()
    tab = mark and mark.line < len(lines) and "\t" in lines[mark.line]
    return f"{where}{error.problem or error.context}" + (". There is a tab; indent with spaces" if tab else "")

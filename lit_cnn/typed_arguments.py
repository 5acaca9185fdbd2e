"""Type checks of constructor arguments, so that Python code gets the same errors as the command line.

Ranges of numbers are part of the annotations, which the command line reads before torch is imported.
"""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from lit_cnn.errors import ConfigError, closest, nearest


class Range(NamedTuple):
    """Range of a number, as part of its annotation."""

    words: str
    holds: Callable[[Any], bool]
    limits: tuple[tuple[str, float], ...]  # the same in a JSON schema

    def __repr__(self) -> str:  # shown in the help
        return self.words


PositiveInt = Annotated[int, Range("a whole number from 1 up", lambda value: value >= 1, (("minimum", 1),))]
NonNegativeInt = Annotated[int, Range("a whole number from 0 up", lambda value: value >= 0, (("minimum", 0),))]
PositiveFloat = Annotated[
    float, Range("a number above 0", lambda value: 0 < value < math.inf, (("exclusiveMinimum", 0),))
]
NonNegativeFloat = Annotated[float, Range("a number from 0 up", lambda value: 0 <= value < math.inf, (("minimum", 0),))]
Share = Annotated[float, Range("a share from 0 to 1", lambda value: 0 <= value <= 1, (("minimum", 0), ("maximum", 1)))]

PLAIN: dict[type, tuple[str, Any]] = {
    bool: ("True or False", bool),
    int: ("a whole number", Integral),
    float: ("a number", Real),
    str: ("a text", (str, PathLike)),
    dict: ("a dict", Mapping),
    NoneType: ("None", NoneType),
}
IN_YAML = {
    bool: "true or false",
    dict: "a dict such as {a: 1}",
    NoneType: "null",
    timedelta: "a time such as 0:30:00",
    Path: "a text",
}
EXAMPLES = {int: " such as [1, 2]", float: " such as [0.1, 0.2]", str: " such as [a, b]"}  # of lists in YAML


class TypedArguments:
    """Base class that checks constructor arguments against the annotations of `__init__`.

    An `__init__` outside of lit_cnn is not checked.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Raises ConfigError if an argument does not fit its annotation."""
        own = next(base for base in cls.__mro__ if "__init__" in vars(base))
        if own.__module__.startswith("lit_cnn."):
            names = list(inspect.signature(own.__init__).parameters)[1:]  # type: ignore[misc]
            known = arguments_of(cls)
            for name, value in {**dict(zip(names, args, strict=False)), **kwargs}.items():
                kind, default = known.get(name, (Any, None))
                if not fits(value, kind):
                    text = " ".join(repr(value).split())
                    raise ConfigError(
                        f"{cls.__name__}'s `{name}` has to be {in_words(kind)}, but got "
                        f"{text if len(text) <= 80 else text[:77] + '...'}, {_called(type(value))}."
                        f"{_remedy(name, value, kind, default)}"
                    )
        return super().__new__(cls)


def subclasses_of(base: type) -> list[type]:
    """Returns all concrete subclasses of `base`, at any depth, in the order of definition."""
    direct: list[type] = base.__subclasses__()
    found = [c for derived in direct for c in (derived, *subclasses_of(derived))]
    return [c for c in found if not inspect.isabstract(c)]


def arguments_of(cls: type) -> dict[str, tuple[Any, Any]]:
    """Returns annotation and default of each argument, including those passed on to a lit_cnn base class."""
    found: dict[str, tuple[Any, Any]] = {}
    for base in cls.__mro__:
        init = vars(base).get("__init__")
        if init is None or not base.__module__.startswith("lit_cnn."):
            continue
        hints, parameters = get_type_hints(init, include_extras=True), inspect.signature(init).parameters.values()
        passed_on = [p.name for p in parameters if p.kind is p.VAR_KEYWORD]
        own = {p.name: (hints[p.name], p.default) for p in parameters if p.name in hints and p.name not in passed_on}
        found = own | found
        if not passed_on:
            break
    return found


def fits(value: Any, kind: Any) -> bool:
    """Whether a value fits an annotation; lists pass as tuples, and NumPy numbers as Python numbers.

    Example:
        >>> fits([28, 28], int | tuple[int, int]), fits("28", int), fits(3, float), fits(True, int)
        (True, False, True, False)
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(fits(value, one) for one in inner)
    if origin is Annotated:
        return fits(value, inner[0]) and all(one.holds(value) for one in inner if isinstance(one, Range))
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
            return False
        if origin is tuple and Ellipsis not in inner:
            return len(value) == len(inner) and all(map(fits, value, inner))
        return all(fits(one, inner[0]) for one in value)
    if kind is bool:
        return type(value).__name__ in ("bool", "bool_")  # Python's, or NumPy's
    if kind in PLAIN:
        return isinstance(value, PLAIN[kind][1]) and not isinstance(value, bool)
    return kind is Any or not isinstance(kind, type) or isinstance(value, kind)


def is_plain(kind: Any) -> bool:
    """Whether an annotation has only numbers, texts, booleans and None, so that the parser takes whatever `fits` it.

    Example:
        >>> is_plain(int | None), is_plain(list[int])
        (True, False)
    """
    if get_origin(kind) in (Union, UnionType):
        return all(map(is_plain, get_args(kind)))
    if get_origin(kind) is Annotated:
        return is_plain(get_args(kind)[0])
    return kind in (bool, int, float, str, NoneType)


def has_range(kind: Any) -> bool:
    """Whether an annotation has a range of numbers in it."""
    return isinstance(kind, Range) or any(map(has_range, get_args(kind)))


def plain(value: Any) -> Any:
    """Returns a value in plain Python numbers, lists and dicts, for checkpoints and hparams.yaml.

    Example:
        >>> plain((range(2), "a", 0.5))
        [[0, 1], 'a', 0.5]
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence):
        return [plain(inner) for inner in value]
    if isinstance(value, PathLike):
        return str(value)
    return int(value) if isinstance(value, Integral) else float(value) if isinstance(value, Real) else value


def in_words(kind: Any, yaml: bool = False) -> str:
    """Describes an annotation in words, for Python, or for configs and the command line.

    Example:
        >>> in_words(int | list[float] | None)
        'a whole number, a list (each a number) or None'
        >>> in_words(tuple[int, int] | None, yaml=True)
        'a pair such as [1, 2] (each a whole number) or null'
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        *first, last = dict.fromkeys(in_words(one, yaml) for one in _merged(inner))
        return f"{', '.join(first)} or {last}" if first else last
    if origin is Annotated:
        return next((one.words for one in inner if isinstance(one, Range)), in_words(inner[0], yaml))
    if origin is Literal:
        choices = list(dict.fromkeys(map(str if yaml else repr, inner)))
        return f"one of {', '.join(choices)}" if choices[1:] else f"{'the word ' * yaml}{choices[0]}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return in_words(dict, yaml)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        pair, each = origin is tuple and Ellipsis not in inner and len(inner) == 2, in_words(inner[0], yaml)
        example = EXAMPLES.get(_parts(inner[0])[0], "") if yaml else ""
        return f"{'a pair' if pair else 'a list'}{example} (each {each})"
    if yaml and kind in IN_YAML:
        return IN_YAML[kind]
    return PLAIN[kind][0] if kind in PLAIN else f"{_called(kind)} object"


def _merged(kinds: Sequence[Any]) -> list[Any]:
    """Returns the parts of a union, with the choices of several literals in one, and without int beside float."""
    choices = tuple(choice for one in kinds for choice in choices_of(one))
    merged = [Literal[choices] if get_origin(one) is Literal else one for one in kinds]
    return [one for one in merged if one is not int or float not in merged]


def choices_of(kind: Any) -> list[Any]:
    """Returns the choices of an annotation's literals.

    Example:
        >>> choices_of(Literal["a", "b"] | int | Literal["c"])
        ['a', 'b', 'c']
    """
    return [choice for one in _parts(kind) if get_origin(one) is Literal for choice in get_args(one)]


def _parts(kind: Any) -> list[Any]:
    """Returns the parts of a union, or the only one, without ranges."""
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return [get_args(one)[0] if get_origin(one) is Annotated else one for one in kinds]


def _remedy(name: str, value: Any, kind: Any, default: Any) -> str:
    """Returns a suggestion for a wrong value, or nothing."""
    kinds = _parts(kind)
    if isinstance(value, str) and (near := nearest(value, choices_of(kind))):
        return near
    if str in kinds and isinstance(value, type):
        return f" Use its name: {name}={value.__name__!r}."
    for items in (get_args(one)[0] for one in kinds if get_origin(one) is list):
        first = value[0] if isinstance(value, Sequence) and value and not isinstance(value, str) else value
        given = first.__name__ if isinstance(first, type) else first if isinstance(first, str) else type(first).__name__
        classes = [c.__name__ for c in subclasses_of(items)] if isinstance(items, type) else []
        if classes:
            example = given if given in classes else closest(given, classes) or classes[0]
            return f" Use a list of objects, such as {name}=[{example}()]."
    if isinstance(value, str) and {int, float} & set(kinds):
        with suppress(ValueError):
            float(value)
            return f" Remove the quotes: {name}={value}."
    if default is None or default is inspect.Parameter.empty:
        return ""
    return f" The default is {name}={list(default) if isinstance(default, tuple) else default!r}."


def _called(cls: type) -> str:
    return f"{'an' if cls.__name__[0] in 'aeiouAEIO' else 'a'} {cls.__name__}"

"""Class paths in configs and checkpoints: which class of ours each means, also after its file was moved or renamed.

A class is found by its name, so that what was written before a move is read after it.
"""

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from inspect import isabstract
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]
OURS = re.compile(r"(?<![\w./])lit_cnn(?:\.\w+)+(?![\w.(])")


def subclasses_of(base: type) -> list[type]:
    """Returns all classes derived from `base` that can be made, at any depth, in the order of their making."""
    direct: list[type] = base.__subclasses__()
    found = [c for derived in direct for c in (derived, *subclasses_of(derived))]
    return [c for c in found if not isabstract(c)]


def path_of(cls: type) -> str:
    """Returns the class path of a class: its module and its name."""
    return f"{cls.__module__}.{cls.__qualname__}"


@cache
def homes() -> dict[str, str]:
    """Returns the class path of each class of ours by its name, but for names that several classes have.

    It is read from the source, since importing all modules takes seconds.
    """
    found: dict[str, list[str]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
        for name in re.findall(r"^class ([A-Za-z]\w*)", file.read_text(encoding="utf-8"), re.MULTILINE):
            found.setdefault(name, []).append(f"{module}.{name}")
    return {name: paths[0] for name, paths in found.items() if len(paths) == 1}


def present(path: str) -> str:
    """Returns the class path of today for one of ours, and any other as it is."""
    return homes().get(path.rpartition(".")[2], path) if OURS.fullmatch(path) else path


def up_to_date(settings: Any) -> Any:
    """Returns settings or arguments that can be read today; `lit_cnn.LitVGG`, which is always right, stays as it is."""
    return _with_paths(settings, lambda path: path if path.count(".") == 1 else present(path))


def at_home(settings: Any) -> Any:
    """Returns settings with one path for each class, to be compared."""
    return _with_paths(settings, present)


def find_class(path: str, base: type) -> Any:
    """Returns the class derived from `base` that a path means, or None where it is not known.

    One of ours is imported for it; one of somebody else's has to be imported before.
    """
    path = present(path)
    if path in homes().values():
        import_module(path.rpartition(".")[0])
    return next((cls for cls in subclasses_of(base) if path_of(cls) == path), None)


def _with_paths(settings: Any, of_today: Callable[[str], str]) -> Any:
    if isinstance(settings, dict):
        return {key: _with_paths(value, of_today) for key, value in settings.items()}
    if isinstance(settings, list):
        return [_with_paths(value, of_today) for value in settings]
    return OURS.sub(lambda match: of_today(match[0]), settings) if isinstance(settings, str) else settings

"""Class paths in configs and checkpoints, which stay valid after a module is moved or renamed.

A lit_cnn class is found by its name alone.
"""

import os
import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from inspect import Parameter, isabstract
from pathlib import Path
from typing import Any

from lit_cnn.typed_arguments import arguments_of, plain, subclasses_of

ALLOW = "LIT_CNN_ALLOW"
PACKAGE = Path(__file__).parents[1]
FORMER = re.compile(  # old names of modules with classes that configs and checkpoints name
    r"lit_cnn\.(checkpoint_io|classifiers|schedules|callbacks\.(axis|evaluation|features|figures|graph|health|pictures)|"
    r"(training\.)?architectures(\.(classic|inception|residual|small))?|data\.(base|cifar|folder|mnist|modules))"
)
OURS = re.compile(r"(?<![\w./])lit_cnn(?:\.\w+)+(?![\w.(])")


def trusted() -> list[str]:
    """Returns the packages and modules in $LIT_CNN_ALLOW, which configs and checkpoints may import."""
    return [name.strip() for name in os.environ.get(ALLOW, "").split(",") if name.strip()]


def path_of(cls: type) -> str:
    """Returns the class path of a class: its module and its name."""
    return f"{cls.__module__}.{cls.__qualname__}"


@cache
def homes() -> dict[str, str]:
    """Returns the class path of each lit_cnn class with a unique name, read from source, since imports take seconds."""
    found: dict[str, list[str]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
        for name in re.findall(r"^class ([A-Za-z]\w*)", file.read_text(encoding="utf-8"), re.MULTILINE):
            found.setdefault(name, []).append(f"{module}.{name}")
    return {name: paths[0] for name, paths in found.items() if len(paths) == 1}


def present(path: str) -> str:
    """Returns the current class path of a lit_cnn class in a present or former module; other paths are unchanged."""
    module, _, name = path.rpartition(".")
    file = PACKAGE.parent.joinpath(*module.split("."))
    known = OURS.fullmatch(path) and (file.is_dir() or file.with_suffix(".py").is_file() or FORMER.fullmatch(module))
    return homes().get(name, path) if known else path


def up_to_date(settings: Any) -> Any:
    """Returns settings or arguments with current class paths; short ones such as `lit_cnn.LitVGG` are unchanged."""
    return _with_paths(settings, lambda path: path if path.count(".") == 1 else present(path))


def at_home(settings: Any) -> Any:
    """Returns settings with one path for each class, for comparisons."""
    return _with_paths(settings, present)


def find_class(path: str, base: type) -> Any:
    """Returns `base` or the subclass of it with this path, or None if it is unknown.

    Classes of lit_cnn and of modules in $LIT_CNN_ALLOW are imported. Other classes must be imported already.
    """
    path = present(path)
    module = path.rpartition(".")[0]
    if path in homes().values() or any(f"{module}.".startswith(f"{name}.") for name in trusted()):
        import_module(module)
    known = (base, *subclasses_of(base))
    return next((cls for cls in known if path_of(cls) == path and not isabstract(cls)), None)


def with_defaults(settings: dict[str, Any]) -> dict[str, Any]:
    """Returns flat settings of an earlier version, with the defaults of arguments that lit_cnn has added since."""
    gained = {
        f"{part}.{name}": default
        for part in ("model", "data")
        for name, default in _defaults(settings.get(part)).items()
    }
    return gained | {key: _nested_with_defaults(value) for key, value in settings.items()}


def _nested_with_defaults(value: Any) -> Any:
    if isinstance(value, list):
        return [_nested_with_defaults(inner) for inner in value]
    if isinstance(value, dict) and "class_path" in value:
        return value | {"init_args": _defaults(value["class_path"]) | (value.get("init_args") or {})}
    return value


def _defaults(path: Any) -> dict[str, Any]:
    if path not in homes().values():
        return {}
    module, _, name = path.rpartition(".")
    arguments = arguments_of(getattr(import_module(module), name))
    return {name: plain(default) for name, (_, default) in arguments.items() if default is not Parameter.empty}


def _with_paths(settings: Any, of_today: Callable[[str], str]) -> Any:
    if isinstance(settings, dict):
        return {key: _with_paths(value, of_today) for key, value in settings.items()}
    if isinstance(settings, list):
        return [_with_paths(value, of_today) for value in settings]
    return OURS.sub(lambda match: of_today(match[0]), settings) if isinstance(settings, str) else settings

"""The parser of the command line: settings from files and flags, and errors that a person can act on."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from lit_cnn import safe_yaml
from lit_cnn.architectures import family_of
from lit_cnn.classifiers import LitClassifier
from lit_cnn.data.base import ImageDataModule
from lit_cnn.errors import ConfigError, nearest
from lit_cnn.importable import refusal
from lit_cnn.models import ARCHITECTURES
from lit_cnn.readable import ReadableDumps
from lit_cnn.registry import subclasses_of
from lit_cnn.shipped import shipped_configs
from lit_cnn.transforms import Augmentation, View

# What the data decides about the model.
LINKED = ("num_classes", "in_channels", "image_size")

# What a config of any verb may hold at its top.
SECTIONS = [
    *("seed_everything", "trainer", "model", "data", "name", "test_after_fit", "test_each_epoch", "checkpoint"),
    *("pictures", "evaluation", "features", "health", "graph"),
    *("matmul_precision", "ckpt_path", "weights_only", "verbose", "return_predictions"),
    *("resume", "allow_changes", "checkpoint_every", "tensorboard_axis", "fast_loop"),
]

COMMAND_LINE = "command line"


class ParseError(Exception):
    """What the parser says of a wrong setting, in its own words; `explain` finds a person's."""


class Parser(ReadableDumps):
    """Answers a wrong setting with its key, its value and the nearest right name, in place of a page of usage."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs, allow_abbrev=False)  # --trainer.max_epoch would stand for max_epochs

    def error(self, message: str, ex: Exception | None = None) -> Any:
        """Raises ParseError, whose message `explain` turns into a person's."""
        raise ParseError(message) from ex


@dataclass(frozen=True)
class Setting:
    """One setting as it was given: its key without `init_args`, its value, and where it stands."""

    key: str
    value: Any
    origin: str


def find_configs(argv: list[str]) -> list[str]:
    """Returns the arguments with the name of each config that comes with the package turned into its path.

    `--config quickstart` works everywhere, and so does `--config configs/quickstart.yaml`.

    Raises:
        ConfigError: If a config is neither a file nor a name.
    """
    found = list(argv)
    for i, path in _config_positions(argv):
        if Path(path).is_file():
            continue
        shipped = shipped_configs()
        name = path.removeprefix("configs/").removesuffix(".yaml")
        if name not in shipped:
            raise ConfigError(
                f"--config {path}: there is no such file.{nearest(name, list(shipped))}\n"
                f"Configs that come with lit_cnn: {', '.join(shipped)}."
            )
        found[i] = argv[i].replace(path, str(shipped[name])) if "=" in argv[i] else str(shipped[name])
    return found


def config_paths(argv: list[str]) -> list[Path]:
    """Returns the paths of all configs among the arguments."""
    return [Path(path) for _, path in _config_positions(argv)]


def _config_positions(argv: list[str]) -> Iterator[tuple[int, str]]:
    for i, argument in enumerate(argv):
        if argument in ("--config", "-c") and i + 1 < len(argv):
            yield i + 1, argv[i + 1]
        elif argument.startswith("--config="):
            yield i, argument.removeprefix("--config=")


def given_settings(argv: list[str]) -> list[Setting]:
    """Returns all settings of the configs and flags; raises a ConfigError for a config that cannot be read."""
    settings = []
    for path in config_paths(argv):
        settings += [Setting(key, value, str(path)) for key, value in _flatten(safe_yaml.read(path))]
    for i, argument in enumerate(argv):
        if argument.startswith("--"):
            flag, equals, value = argument[2:].partition("=")
            follows = argv[i + 1] if i + 1 < len(argv) and not argv[i + 1].startswith("--") else None
            key = flag.removesuffix("+").replace(".init_args", "")
            content = _structure(value if equals else follows)
            settings.append(Setting(key, content, COMMAND_LINE))
            settings += [Setting(inner, value, COMMAND_LINE) for inner, value in _flatten(content, key)]
    return settings


def root_and_name(argv: list[str]) -> tuple[Path, str | None]:
    """Returns the folder of all runs and the name of this one, as far as configs and flags tell them."""
    given = {setting.key: setting.value for setting in given_settings(argv)}
    paths = config_paths(argv)
    name = given.get("name") or (paths[0].stem if paths else None)
    return Path(given.get("trainer.default_root_dir") or "logs"), name


def _structure(text: str | None) -> Any:
    """Returns the list or dict that a flag's text stands for, else the text."""
    try:
        content = safe_yaml.load(text or "")
    except yaml.YAMLError:
        return text
    return content if isinstance(content, (dict, list)) else text


def _flatten(content: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields all keys below, each with its value; `init_args` is no part of a key, nor is a place in a list."""
    if isinstance(content, dict):
        for key, value in content.items():
            inner = prefix if key == "init_args" else f"{prefix}.{key}".lstrip(".")
            if key != "init_args":
                yield inner, value
            yield from _flatten(value, inner)
    elif isinstance(content, list):
        for item in content:
            yield from _flatten(item, prefix)


def refuse_linked(settings: list[Setting]) -> None:
    """Refuses settings of the model that the data decides, which would be replaced in silence.

    Raises:
        ConfigError: If there is one.
    """
    for setting in settings:
        if setting.key in {f"model.{name}" for name in LINKED}:
            name = setting.key.removeprefix("model.")
            raise ConfigError(
                f"{setting.key}: {setting.value} ({setting.origin}) is not yours to set: the data decides it.\n"
                f"Remove it. Data modules with a shape of your choice take --data.{name}."
            )


def refuse_unknown_sections(settings: list[Setting]) -> None:
    """Refuses sections of a config that no verb knows, which the parser overlooks where they are empty.

    Raises:
        ConfigError: If there is one.
    """
    for setting in settings:
        if "." not in setting.key and setting.origin != COMMAND_LINE and setting.key not in SECTIONS:
            raise ConfigError(_unknown(setting.key, settings))


def explain(message: str, settings: list[Setting]) -> str:
    """Turns a message of the parser into one of at most three lines: key, value, origin, and the remedy.

    The parser nests its messages where it tried several types; what went wrong stands innermost.
    """
    if match := re.search(r"Importing '([^']+)' is not allowed", message):
        given = next((s for s in settings if _names_class(s, match[1])), Setting("A setting", None, COMMAND_LINE))
        return refusal(match[1], f"{given.key} ({given.origin})")
    if "Problems parsing config" in message:
        return "A config is not valid YAML: " + " ".join(message.split())
    if match := re.search(r"ption '([^']+)' is not accepted|not accept (?:nested key|option) '([^']+)'", message):
        return _unknown(match[1] or match[2], settings)
    if match := re.search(r"unrecognized arguments: (.*)", message):
        words = match[1].split()
        return _unknown(next((w for w in words if w.startswith("-")), words[0]).partition("=")[0], settings)
    if match := re.search(r"the following arguments are required: (.*)", message):
        missing = sorted((key.partition(".")[2] or key for key in match[1].split(", ")), reverse=True)
        if not set(missing) <= {"model", "data"}:
            return f"Missing: {', '.join(missing)}."
        choices = "; ".join(f"--{key} with one of {', '.join(_classes_of(key))}" for key in missing)
        return f"Missing: {' and '.join(missing)}. Give --config, or {choices}."
    if match := re.search(r"Expected a dot import path string: (\S+)", message):
        return _unknown_class(match[1], settings)
    keys = re.findall(r'Parser key "([^"]+)"', message)
    if not keys:
        return " ".join(message.split())
    if match := re.search(r"does not correspond to a subclass of (\w+)", message):
        given = _find(settings, keys[-1])
        return f"{given.key}: {_short(given.value)} ({given.origin}) is not a {match[1]}."
    if match := re.search(r"Expected a path but (\S+) either not accessible", message):
        return _unknown_class(match[1], settings)
    return _wrong_value(keys[-1], message[message.rindex(f'Parser key "{keys[-1]}"') :], settings)


def _find(settings: list[Setting], key: str) -> Setting:
    """Returns the setting of this key, or the last one whose key ends in it."""
    exact = [s for s in settings if s.key == key]
    by_leaf = [s for s in settings if s.key.rpartition(".")[2] == key.rpartition(".")[2]]
    return (exact or by_leaf or [Setting(key, None, COMMAND_LINE)])[-1]


def _unknown(key: str, settings: list[Setting]) -> str:
    given = _find(settings, key.lstrip("-"))
    branch, _, leaf = given.key.rpartition(".")
    value = "" if given.value is None else f": {_short(given.value)}"
    remedy = nearest(leaf, _known_keys(branch)) or _where_to_look(branch, leaf, settings)
    return f"Unknown key {given.key}{value} ({given.origin}).{remedy}"


def _where_to_look(branch: str, leaf: str, settings: list[Setting]) -> str:
    names = [s.value for s in settings if s.key in (branch, f"{branch}.class_path") and isinstance(s.value, str)]
    if branch not in ("model", "data") or not names:
        return ""
    chosen = names[-1].rpartition(".")[2]
    classes = [c for c in subclasses_of(ImageDataModule if branch == "data" else LitClassifier) if c.__name__ == chosen]
    if any(leaf in inspect.signature(base).parameters for c in classes for base in c.__mro__ if base is not object):
        return f" Give it behind --{branch} {names[-1]}."
    return f" {chosen} does not take it; fit --{branch}.help {names[-1]} names what it takes."


def _unknown_class(name: str, settings: list[Setting]) -> str:
    unknown = Setting("class_path", name, COMMAND_LINE)
    given = next((s for s in reversed(settings) if _names_class(s, name)), unknown)
    branch = given.key.removesuffix(".class_path")
    classes = _classes_of(branch)
    if name in classes:
        return f"{branch}: {name} ({given.origin}) has to stand in a list: [{name}]."
    if branch == "model" and name.lower() in ARCHITECTURES:
        family, settings_of = family_of(name.lower())
        flags = [f"--model {family}", *(f"--model.{key} {value}" for key, value in settings_of.items())]
        return f"{branch}: there is no class {name} ({given.origin}). Say {' '.join(flags)}."
    known = f" There are {', '.join(classes)}." if classes else ""
    return f"{branch}: there is no class {name} ({given.origin}).{nearest(name, classes)}{known}"


def _wrong_value(key: str, message: str, settings: list[Setting]) -> str:
    given = _find(settings, key)
    message = message.partition("Given value")[0]
    expected = re.findall(r"Expected an? (.+?)(?:\. Got value|$)", message, flags=re.MULTILINE)
    kinds = [_kind(e) for e in dict.fromkeys(expected) if "NoneType" not in e]
    start = f"{given.key}: {_short(given.value)} ({given.origin})"
    if not kinds:
        return f"{start}: {_short(' '.join(message.split()), 300)}"
    choices = [name for kind in kinds if kind.startswith("one of ") for name in kind[7:].split(", ")]
    return f"{start} is not what is expected here: {' or '.join(kinds)}.{nearest(str(given.value), choices)}"


def _names_class(setting: Setting, name: str) -> bool:
    return name in (setting.value if isinstance(setting.value, list) else [setting.value])


def _kind(expected: str) -> str:
    if match := re.match(r"(?:typing\.)?Literal\[(.*)\]", expected):
        return "one of " + match[1].replace("'", "")
    names = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text"}
    plain = re.sub(r"<class '(.*?)'>", r"\1", expected)
    return names.get(plain, plain)


def _short(value: Any, limit: int = 80) -> str:
    text = str(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _classes_of(branch: str) -> list[str]:
    bases: dict[str, type] = {
        "model": LitClassifier,
        "data": ImageDataModule,
        "data.augment": Augmentation,
        "data.views": View,
    }
    return [c.__name__ for c in subclasses_of(bases[branch])] if branch in bases else []


def _known_keys(branch: str) -> list[str]:
    classes: dict[str, list[type]] = {
        "trainer": [Trainer],
        "checkpoint": [ModelCheckpoint],
        "model": [LitClassifier, *subclasses_of(LitClassifier)],
        "data": [ImageDataModule, *subclasses_of(ImageDataModule)],
        "data.augment": subclasses_of(Augmentation),
        "data.views": subclasses_of(View),
    }
    if not branch:
        return SECTIONS
    names = [name for cls in classes.get(branch, []) for name in inspect.signature(cls).parameters]
    return [name for name in names if name not in ("kwargs", *LINKED)]

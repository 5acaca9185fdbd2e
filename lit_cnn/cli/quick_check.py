"""Quick check of all settings before torch is imported, which takes seconds; only clear errors are reported.

Names and types are read from source code, and values are checked by the parser's own rules, one setting at a time.
"""

import json
import sys
from argparse import ArgumentError
from typing import Any

import yaml
from jsonargparse import ArgumentParser, set_loader

from lit_cnn.cli import safe_yaml
from lit_cnn.cli.command_line import COMMAND_LINE, Setting, expand, given_settings, only_prints
from lit_cnn.cli.known_settings import (
    BRANCHES,
    DEFAULT_OPTIMIZER,
    NAMED,
    NOT_OF_ARGS,
    OF_PLATEAU,
    OWN,
    PLATEAU,
    UNCLEAR,
    Known,
    classes_of,
    home_of,
    parameters,
    settings_of,
)
from lit_cnn.cli.limits import out_of_range
from lit_cnn.cli.messages import missing_sections, not_taken, unfit, unknown_class, unknown_key, wrong_kind
from lit_cnn.errors import CheckpointError, ConfigError, closest
from lit_cnn.runs.class_paths import homes, present
from lit_cnn.runs.folder import find_run
from lit_cnn.runs.settings import LINKED
from lit_cnn.runs.tracker_packages import refuse_missing
from lit_cnn.typed_arguments import fits, has_range, is_plain, subclasses_of

# Keys that the parser takes in a section in addition to settings.
NO_SETTINGS = {"class_path", "dict_kwargs", "help"}

SWITCHES = {"True", "False", "None"}

# Values that name no class; the last four are profilers by their short names.
NO_CLASSES = {"true", "false", "null", "simple", "advanced", "pytorch", "xla"}


def check(argv: list[str]) -> tuple[list[str], list[Setting]]:
    """Returns a verb and its arguments with the configs as paths, and all settings in them.

    Raises:
        LitCNNError: If a setting is unknown or wrong, or a config, run or checkpoint is missing.
    """
    set_loader("yaml", safe_yaml.load, (yaml.YAMLError,))
    argv = expand(argv)
    settings = given_settings(argv)
    if only_prints(argv, "help"):
        return argv, settings
    for setting in settings:
        if setting.origin == COMMAND_LINE and setting.key.count(".") < 2 and str(setting.value).strip() == "":
            raise ConfigError(f"{setting.key}: {setting.value!r} (command line) is empty. Give a value, or remove it.")
        _check_key(setting, settings)
    last = {setting.key: setting for setting in settings}
    for setting in reversed(settings):  # flags before configs
        overridden = _replaced(setting, settings) if "." in setting.branch else last[setting.key] is not setting
        if not overridden and setting.value is not None:
            _check_value(setting, settings)
    for key in NAMED:
        _check_named(key, settings)
    missing = [part for part in ("model", "data") if not any(s.key.partition(".")[0] == part for s in settings)]
    if missing:
        raise ConfigError(missing_sections(missing))
    verb, checkpoint = argv[0], last["ckpt_path"].value if "ckpt_path" in last else None
    if checkpoint in (None, "null"):
        if verb not in ("fit", "check"):
            way = f"{verb} RUN, the folder of a run, or --ckpt_path CHECKPOINT"
            raise CheckpointError(f"`{verb}` needs a trained network: {way}.")
    elif verb == "check":
        raise ConfigError("`check` is for runs before their first step. Remove --ckpt_path.")
    else:
        find_run(checkpoint)
    return argv, settings


def _check_key(setting: Setting, settings: list[Setting]) -> None:
    key, given = setting.key, f"{setting.key}: {safe_yaml.text_of(setting.value)} ({setting.origin})"
    if key in [f"model.{name}" for name in LINKED]:
        raise ConfigError(
            f"{given} cannot be set: the data decide it.\n"
            f"Remove it. Some data modules have --data.{setting.leaf} instead."
        )
    kinds = _kinds(setting, settings)
    if kinds is not None and setting.leaf not in NO_SETTINGS and not any(setting.leaf in known for known in kinds):
        raise ConfigError(unknown_key(key, settings))
    branch = key.removesuffix(".class_path")
    for name in _names(branch, [setting]):
        if _is_no_class(name, branch, settings):
            raise ConfigError(unknown_class(name, settings))
    if setting.origin == COMMAND_LINE or isinstance(setting.value, dict) or "." in key or key in BRANCHES:
        return
    inner = [name for known in settings_of(key) or [] for name in known]
    if inner and (key, setting.value) != ("trainer", None):  # the parser accepts this one
        raise ConfigError(f"{given} has to contain settings, such as `{inner[0]}`.\nRemove it for the defaults.")


def _check_value(setting: Setting, settings: list[Setting]) -> None:
    if limits := out_of_range(setting.key, setting.value):
        raise ConfigError(unfit(setting, limits))
    if setting.key != f"{setting.branch}.{setting.leaf}".lstrip("."):
        return  # a part of a setting
    types = [known[setting.leaf].type for known in _kinds(setting, settings) or [] if setting.leaf in known]
    refusals = [None if kind is UNCLEAR else _refusal(setting, kind) for kind in types]
    if refusals and refusals[0] and all(refusals):
        raise ConfigError(refusals[0])


def _replaced(setting: Setting, settings: list[Setting]) -> bool:
    """Whether a setting of a list of objects may be replaced, since a later config or flag gives the list."""
    return [one.origin for one in settings if one.branch == setting.branch][-1] != setting.origin


def _check_named(key: str, settings: list[Setting]) -> None:
    """Checks a setting that names a class of torch or Lightning, and the names of the class's arguments."""
    (home, *_), base, arguments = NAMED[key]
    given = [setting for setting in settings if setting.key in (key, f"{key}.class_path")]
    values = [one for s in given for one in (s.value if isinstance(s.value, list) else [s.value])]
    names = [one for one in values if isinstance(one, str) and one not in NO_CLASSES]
    if key == "trainer.logger" and any(
        isinstance(one.value, list) and set(map(str, one.value)) & SWITCHES for one in given
    ):
        raise ConfigError(unfit(given[-1], "one logger, a list of loggers, or true or false"))
    if arguments:  # a class of torch, of which the last counts
        names = names[-1:]
        if key == "model.optimizer" and not given and set(_names("model", settings)) <= set(classes_of("model")):
            names = [DEFAULT_OPTIMIZER]
    elif any("." in name and not name.startswith(OWN) for name in names):
        return  # another package may have a class of this short name
    else:
        names = [name for name in names if "." not in name]
    for name in names:
        if home_of(key, name) is None and name not in _defined(home, base):
            raise ConfigError(unknown_class(name, settings))
    if key == "trainer.logger":
        refuse_missing(names)
    if arguments and names:
        taken = (parameters(names[0], home_of(key, names[0]) or "") or {}).keys() - NOT_OF_ARGS
        taken |= OF_PLATEAU if names[0] == PLATEAU else set()
        whole = max((i for i, setting in enumerate(settings) if setting.key == arguments), default=0)
        for setting in settings[whole:]:
            if setting.key.rpartition(".")[0] == arguments and setting.key.rpartition(".")[2] not in taken:
                raise ConfigError(not_taken(setting, names[0], sorted(taken)))


def _defined(home: str, base: str) -> set[str]:
    """Returns the classes defined so far, also by the user's program; none before the import of their base class."""
    if home not in sys.modules:
        return set()
    return {cls.__name__ for cls in subclasses_of(getattr(sys.modules[home], base))}


def _kinds(setting: Setting, settings: list[Setting]) -> list[dict[str, Known]] | None:
    """Returns the settings of each class that this setting may belong to, or None if they are unknown."""
    if "." in setting.branch and settings_of("data", _names("data", settings)) is None:
        return None  # data of another package
    return settings_of(setting.branch, _names(setting.branch, settings))


def _names(branch: str, settings: list[Setting]) -> list[str]:
    """Returns the classes that are given for a part of a config."""
    values = [s.value for s in settings if s.key in (branch, f"{branch}.class_path")]
    names = [name for value in values for name in (value if isinstance(value, list) else [value])]
    return [name for name in names if isinstance(name, str) and name != "null"] if branch in BRANCHES else []


def _is_no_class(name: str, branch: str, settings: list[Setting]) -> bool:
    """Whether a class is certainly unknown: a short name, or a misspelt one of ours."""
    home, base = BRANCHES[branch]
    known = {base, *classes_of(branch)}
    if "." in name:
        leaf = name.rpartition(".")[2]
        ours = name.startswith("lit_cnn.") and present(name) not in homes().values()
        return ours and (leaf in known or closest(leaf, list(known)) is not None)
    known |= _defined(home, base)
    paths = [s.value for s in settings if s.key.endswith("class_path")]
    paths += [other for each in BRANCHES for other in _names(each, settings)]
    foreign = any("." in str(path) and not str(path).startswith("lit_cnn.") for path in paths)
    return name not in known and not foreign  # a short name may be a class of another package


def _refusal(setting: Setting, kind: Any) -> str | None:
    """Returns a message if a value is not of this type, or out of its range."""
    if is_plain(kind) and fits(setting.value, kind):
        return None
    parser = ArgumentParser(allow_abbrev=False, exit_on_error=False)
    parser.add_argument(f"--{setting.key}", type=kind)
    try:
        if setting.origin == COMMAND_LINE:
            text = setting.value if isinstance(setting.value, str) else json.dumps(setting.value, default=str)
            parsed = parser.parse_args([f"--{setting.key}={text}"])
        else:
            parsed = parser.parse_object({setting.key: setting.value})
    except ArgumentError:
        return wrong_kind(setting, kind)
    return wrong_kind(setting, kind) if has_range(kind) and not fits(parsed[setting.key], kind) else None

"""Quick check of all settings before torch is imported, which takes seconds; only clear errors are reported.

Names and types are read from source code, and values are checked by the parser's own rules, one setting at a time.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from jsonargparse import ArgumentParser

from lit_cnn.cli import safe_yaml
from lit_cnn.cli.command_line import COMMAND_LINE, Setting, expand, given_settings
from lit_cnn.cli.known_settings import BRANCHES, UNCLEAR, Known, classes_of, sections, settings_of
from lit_cnn.cli.limits import out_of_range
from lit_cnn.cli.messages import explain, missing_sections, unknown_class, unknown_key
from lit_cnn.errors import CheckpointError, ConfigError, closest
from lit_cnn.runs.folder import find_run
from lit_cnn.runs.settings import LINKED

# Keys that the parser takes in a section in addition to settings.
NO_SETTINGS = {"class_path", "dict_kwargs", "help"}


def check(argv: list[str]) -> list[str]:
    """Returns the arguments of a verb with its configs as paths.

    Args:
        argv: A verb of the Trainer and its arguments.

    Raises:
        LitCNNError: If a setting is unknown or wrong, or a config, run or checkpoint is missing.
    """
    safe_yaml.use()
    argv = expand(argv)
    settings = given_settings(argv)
    if any(flag == "-h" or flag.split(".")[-1].partition("=")[0] in ("help", "--help") for flag in argv):
        return argv
    for setting in settings:
        _refuse_linked(setting)
    for setting in settings:
        if _is_unknown(setting, settings):
            raise ConfigError(unknown_key(setting.key, settings))
    for branch in BRANCHES:
        for name in _names(branch, settings):
            if _is_no_class(name, branch, settings):
                raise ConfigError(unknown_class(name, settings))
    for setting in settings:
        _refuse_without_settings(setting)
    effective = list(_not_overridden(settings))
    for setting in effective:
        if limits := out_of_range(setting.key, setting.value):
            raise ConfigError(f"{setting.key}: {setting.value} ({setting.origin}) has to be {limits}.")
    for setting in reversed(effective):  # flags before configs
        if message := _refusal(setting, settings):
            raise ConfigError(explain(message, settings))
    missing = [part for part in ("model", "data") if not any(s.key.partition(".")[0] == part for s in settings)]
    if missing:
        raise ConfigError(missing_sections(missing))
    checkpoint = next((s.value for s in reversed(settings) if s.key == "ckpt_path"), None)
    if checkpoint not in (None, "null"):
        if argv[0] == "check":
            raise ConfigError("`check` looks at a run before its first step. Leave --ckpt_path out.")
        find_run(checkpoint)
    elif argv[0] not in ("fit", "check"):
        raise CheckpointError(
            f"`{argv[0]}` needs a trained network: {argv[0]} RUN, the folder of a run, or --ckpt_path CHECKPOINT."
        )
    return argv


def _refuse_linked(setting: Setting) -> None:
    """Refuses settings of the model that the data sets, which would be ignored."""
    section, _, name = setting.key.partition(".")
    if section == "model" and name in LINKED:
        raise ConfigError(
            f"{setting.key}: {setting.value} ({setting.origin}) is not yours to set: the data decides it.\n"
            f"Remove it. Data modules with a shape of your choice take --data.{name}."
        )


def _refuse_without_settings(setting: Setting) -> None:
    """Refuses a section of a config without settings, such as `evaluation: false`."""
    section = setting.key
    if "." in section or section in BRANCHES or setting.origin == COMMAND_LINE or isinstance(setting.value, dict):
        return
    if section == "trainer" and setting.value is None:  # the parser accepts this one
        return
    if inner := [name for known in settings_of(section) or [] for name in known]:
        raise ConfigError(
            f"{section}: {setting.value} ({setting.origin}) has to hold settings of its own, such as `{inner[0]}`.\n"
            "Leave it out for the defaults."
        )


def _is_unknown(setting: Setting, settings: list[Setting]) -> bool:
    if "." not in setting.key:
        return setting.key not in sections()
    kinds = _kinds(setting, settings)
    return (
        kinds is not None
        and setting.leaf not in NO_SETTINGS
        and all(setting.leaf not in settings_of_class for settings_of_class in kinds)
    )


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
        return name.startswith("lit_cnn.") and closest(name.rpartition(".")[2], list(known)) is not None
    if home in sys.modules:  # the user's program may have defined classes of its own
        from lit_cnn.runs.class_paths import subclasses_of

        known |= {cls.__name__ for cls in subclasses_of(getattr(sys.modules[home], base))}
    given = [s.value for s in settings if s.key.endswith("class_path")]
    given += [other for each in BRANCHES for other in _names(each, settings)]
    foreign = any("." in str(path) and not str(path).startswith("lit_cnn.") for path in given)
    return name not in known and not foreign  # with another package, a short name may be of a class in it


def _not_overridden(settings: list[Setting]) -> Iterator[Setting]:
    """Yields the settings that are not overridden by later ones."""
    last = {setting.key: setting for setting in settings}
    origins = {s.origin for s in settings if s.branch in BRANCHES and "." in s.branch}
    for setting in settings:
        whole = len(origins) < 2 if "." in setting.branch else last[setting.key] is setting
        if whole and setting.value is not None:
            yield setting


def _refusal(setting: Setting, settings: list[Setting]) -> str | None:
    """Returns the parser's message for a value that none of the possible classes accepts."""
    if setting.key in sections():
        types = [sections()[setting.key].type]
    elif setting.key == f"{setting.branch}.{setting.leaf}":
        kinds = _kinds(setting, settings) or []
        types = [known[setting.leaf].type for known in kinds if setting.leaf in known]
    else:
        return None
    refusals = [None if kind is UNCLEAR else _refusal_by_type(setting, kind) for kind in types]
    return refusals[0] if refusals and all(refusals) else None


def _refusal_by_type(setting: Setting, kind: Any) -> str | None:
    parser = _OneSetting(allow_abbrev=False)
    parser.add_argument(f"--{setting.key}", type=kind)
    try:
        if setting.origin == COMMAND_LINE:
            text = setting.value if isinstance(setting.value, str) else json.dumps(setting.value, default=str)
            parser.parse_args([f"--{setting.key}={text}"])
        else:
            parser.parse_object({setting.key: setting.value})
    except ValueError as error:
        return str(error)
    return None


class _OneSetting(ArgumentParser):
    def error(self, message: str, ex: Exception | None = None) -> Any:
        raise ValueError(message)

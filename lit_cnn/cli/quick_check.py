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
from lit_cnn.errors import CheckpointError, ConfigError
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
    _refuse_linked(settings)
    for setting in settings:
        if _is_unknown(setting, settings):
            raise ConfigError(unknown_key(setting.key, settings))
    for branch in BRANCHES:
        for name in _names(branch, settings):
            if "." not in name and name not in _classes(branch) and not _may_be_foreign(settings):
                raise ConfigError(unknown_class(name, settings))
    for setting in settings:
        _refuse_shapeless(setting)
    that_hold = list(_last_of_each(settings))
    for setting in that_hold:
        if limits := out_of_range(setting.key, setting.value):
            raise ConfigError(f"{setting.key}: {setting.value} ({setting.origin}) has to be {limits}.")
    for setting in reversed(that_hold):  # flags before configs
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


def _refuse_linked(settings: list[Setting]) -> None:
    """Refuses settings of the model that the data sets, which would be ignored."""
    for setting in settings:
        if setting.key in {f"model.{name}" for name in LINKED}:
            name = setting.key.removeprefix("model.")
            raise ConfigError(
                f"{setting.key}: {setting.value} ({setting.origin}) is not yours to set: the data decides it.\n"
                f"Remove it. Data modules with a shape of your choice take --data.{name}."
            )


def _refuse_shapeless(setting: Setting) -> None:
    """Refuses a section of a config without settings, such as `evaluation: false`."""
    section = setting.key
    if "." in section or section in BRANCHES or setting.origin == COMMAND_LINE or isinstance(setting.value, dict):
        return
    if section == "trainer" and setting.value is None:  # the parser accepts this one
        return
    if inner := [name for known in settings_of(section, []) or [] for name in known]:
        raise ConfigError(
            f"{section}: {setting.value} ({setting.origin}) has to hold settings of its own, such as `{inner[0]}`.\n"
            "Leave it out for the defaults."
        )


def _is_unknown(setting: Setting, settings: list[Setting]) -> bool:
    section, *rest = setting.key.replace("+", "").split(".")
    if not rest:
        return section not in sections()
    kinds = _kinds(setting, settings)
    leaf = _leaf(setting)
    return kinds is not None and leaf not in NO_SETTINGS and all(leaf not in known for known in kinds)


def _branch(setting: Setting) -> str:
    """Returns the part of the config that a setting belongs to."""
    parts_of_key = setting.key.replace("+", "").split(".")
    nested = ".".join(parts_of_key[:2])
    return nested if nested in BRANCHES and len(parts_of_key) > 2 else parts_of_key[0]


def _leaf(setting: Setting) -> str:
    return setting.key.replace("+", "").removeprefix(f"{_branch(setting)}.").partition(".")[0]


def _kinds(setting: Setting, settings: list[Setting]) -> list[dict[str, Known]] | None:
    """Returns the settings of each class that this setting may belong to, or None if they are unknown."""
    branch = _branch(setting)
    names = _names(branch, settings)
    if "." in branch and settings_of("data", _names("data", settings)) is None:
        return None  # data of another package
    return settings_of(branch, names)


def _names(branch: str, settings: list[Setting]) -> list[str]:
    values = [s.value for s in settings if s.key.replace("+", "") in (branch, f"{branch}.class_path")]
    names = [name for value in values for name in (value if isinstance(value, list) else [value])]
    return [name for name in names if isinstance(name, str) and name != "null"] if branch in BRANCHES else []


def _classes(branch: str) -> set[str]:
    """Returns the names of a branch's classes, including those that the user's program has defined."""
    home, base, _ = BRANCHES[branch]
    known = {base, *classes_of(branch)}
    if home in sys.modules:
        from lit_cnn.typed_arguments import subclasses_of

        known |= {cls.__name__ for cls in subclasses_of(getattr(sys.modules[home], base))}
    return known


def _may_be_foreign(settings: list[Setting]) -> bool:
    """Whether a short name may be of a class in another package."""
    paths = [s.value for s in settings if s.key.endswith("class_path")]
    names = [*paths, *(name for branch in BRANCHES for name in _names(branch, settings))]
    return any("." in str(name) and not str(name).startswith("lit_cnn.") for name in names)


def _last_of_each(settings: list[Setting]) -> Iterator[Setting]:
    """Yields the settings that are not overridden by later ones."""
    last = {setting.key: setting for setting in settings}
    origins = {s.origin for s in settings if _branch(s) in BRANCHES and "." in _branch(s)}
    for setting in settings:
        whole = len(origins) < 2 if "." in _branch(setting) else last[setting.key] is setting
        if whole and setting.value is not None:
            yield setting


def _refusal(setting: Setting, settings: list[Setting]) -> str | None:
    """Returns the parser's message for a value that none of the possible classes accepts."""
    if setting.key in sections():
        types = [sections()[setting.key].type]
    elif setting.key == f"{_branch(setting)}.{_leaf(setting)}":
        kinds = _kinds(setting, settings) or []
        types = [known[_leaf(setting)].type for known in kinds if _leaf(setting) in known]
    else:
        return None
    refusals = [None if kind is UNCLEAR else _judged(setting, kind) for kind in types]
    return refusals[0] if refusals and all(refusals) else None


def _judged(setting: Setting, kind: Any) -> str | None:
    """Returns the parser's message for a value, unless it accepts it as text or as an object."""
    text = setting.value if isinstance(setting.value, str) else json.dumps(setting.value, default=str)
    refusals = []
    for parse in (
        lambda parser: parser.parse_args([f"--{setting.key}={text}"]),
        lambda parser: parser.parse_object({setting.key: setting.value}),
    ):
        parser = _OneSetting(allow_abbrev=False)
        parser.add_argument(f"--{setting.key}", type=kind)
        try:
            parse(parser)
        except ValueError as error:
            refusals.append(str(error))
    return refusals[0] if len(refusals) == 2 else None


class _OneSetting(ArgumentParser):
    def error(self, message: str, ex: Exception | None = None) -> Any:
        raise ValueError(message)

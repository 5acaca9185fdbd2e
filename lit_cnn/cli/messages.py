"""Error messages for wrong settings: key, value, origin and remedy."""

import re
from importlib import import_module
from typing import Any

from lit_cnn.cli.command_line import COMMAND_LINE, Setting
from lit_cnn.cli.known_settings import NAMED, PARTS, choices, classes_of, family_of, settings_of
from lit_cnn.cli.safe_yaml import text_of
from lit_cnn.errors import closest, nearest
from lit_cnn.runs.class_paths import trusted
from lit_cnn.runs.settings import LINKED
from lit_cnn.typed_arguments import choices_of, in_words

# Names of settings in other programs.
SYNONYMS = {
    "arch": "model",
    "dataset": "data",
    "bs": "data.batch_size",
    **dict.fromkeys(("epochs", "n_epochs", "num_epochs"), "trainer.max_epochs"),
    "steps": "trainer.max_steps",
    "gpus": "trainer.devices",
    **dict.fromkeys(("learning_rate", "max_lr"), "model.lr"),
    "momentum": "model.optimizer_args.momentum",
    **dict.fromkeys(("wd", "weight_decay"), "model.optimizer_args.weight_decay"),
    **dict.fromkeys(("output_dir", "save_dir"), "trainer.default_root_dir"),
    **dict.fromkeys(("random_seed", "seed"), "seed_everything"),
}
PLAIN = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "dict": "a dict such as {a: 1}",
    **dict.fromkeys(("collections.abc.Sequence", "list", "tuple"), "a list such as [1, 2]"),
}


def explain(message: str, settings: list[Setting]) -> str:
    """Turns a message of the parser into at most three lines: key, value, origin and remedy.

    If the parser tried several types its messages are nested, with the real reason innermost.
    """
    if match := re.search(r"Importing '([^']+)' is not allowed", message):
        from lit_cnn.cli.allowed_imports import refusal  # imports torch

        given = _naming_class(match[1], settings) or Setting("A setting", None, COMMAND_LINE)
        return refusal(match[1], f"{given.key} ({given.origin})")
    if "Problems parsing config" in message:
        return "A config is not valid YAML: " + " ".join(message.split())
    if match := re.search(r"ption '([^']+)' is not accepted|not accept (?:nested key|option) '([^']+)'", message):
        return unknown_key(match[1] or match[2], settings)
    if match := re.search(r"unrecognized arguments: (.*)", message):
        words = match[1].split()
        return unknown_key(next((w for w in words if w.startswith("-")), words[0]).partition("=")[0], settings)
    if match := re.search(r"the following arguments are required: (.*)", message):
        if match[1] == "save_dir":
            return (
                "Missing: trainer.logger.save_dir, the folder of this second logger.\n"
                "Every run writes metrics.csv and TensorBoard's files without it."
            )
        missing = sorted((key.partition(".")[2] or key for key in match[1].split(", ")), reverse=True)
        return missing_sections(missing) if set(missing) <= {"model", "data"} else f"Missing: {', '.join(missing)}."
    keys = re.findall(r'Parser key "([^"]+)"', message)
    if keys and (match := re.search(r"does not correspond to a subclass of (\w+)", message)):
        given = _find(settings, keys[-1])
        return f"{given.key}: {_short(given.value)} ({given.origin}) is not a {match[1]}."
    if match := re.search(
        r"Expected a dot import path string: (\S+)|Expected a path but (\S+) either not acc", message
    ):
        return unknown_class(match[1] or match[2], settings)
    if not keys:
        return " ".join(message.split())
    return _wrong_value(_find(settings, keys[-1]), message[message.rindex(f'Parser key "{keys[-1]}"') :])


def missing_sections(missing: list[str]) -> str:
    """Returns the message for a missing model or data, with the choices."""
    choices = "; ".join(f"--{key} with one of {', '.join(classes_of(key))}" for key in missing)
    return f"Missing: {' and '.join(missing)}. Give --config, or {choices}."


def unknown_key(key: str, settings: list[Setting]) -> str:
    """Message for an unknown setting, with the likely one."""
    given = _find(settings, key.lstrip("-"))
    value = "" if given.value is None else f": {_short(given.value)}"
    return f"Unknown key {_short(given.key)}{value} ({given.origin}).{_remedy(given, settings)}"


def _remedy(given: Setting, settings: list[Setting]) -> str:
    branch, _, leaf = given.key.rpartition(".")
    own = _known_keys(branch)
    places = ["trainer", *PARTS, "data", "model"]  # of equal names in several sections, the last one counts
    elsewhere = {} if "." in branch else {name: f"{s}.{name}" for s in places for name in reversed(_known_keys(s))}
    meant = None if "." in branch else SYNONYMS.get(leaf)
    if meant in (None, branch) and leaf not in own:
        meant = elsewhere.get(leaf)
    if meant in (None, branch):
        if near := nearest(leaf, own) or _where_to_look(branch, leaf, settings):
            return near
        meant = elsewhere.get(closest(leaf, list(elsewhere)) or "")
    return f" Did you mean {'--' if given.origin == COMMAND_LINE else ''}{meant}?" if meant else ""


def _where_to_look(branch: str, leaf: str, settings: list[Setting]) -> str:
    names = [s.value for s in settings if s.key in (branch, f"{branch}.class_path") and isinstance(s.value, str)]
    if branch not in ("model", "data") or not names:
        return ""
    if any(leaf in known for known in settings_of(branch, names[-1:]) or ()):
        return f" Write it after --{branch} {names[-1]}."
    chosen = names[-1].rpartition(".")[2]
    return f" {chosen} has no such argument; fit --{branch}.help {names[-1]} lists its arguments."


def unknown_class(name: str, settings: list[Setting]) -> str:
    """Message for an unknown class, with the choices."""
    given = _naming_class(name, settings) or Setting("class_path", name, COMMAND_LINE)
    branch = given.key.removesuffix(".class_path")
    classes = choices(branch) if branch in NAMED else list(classes_of(branch))
    if name in classes:
        return f"{branch}: {name} ({given.origin}) has to be in a list: [{name}]."
    start = f"{branch}: there is no class {name} ({given.origin})."
    home, _, leaf = name.rpartition(".")
    if home and (found := _own_classes(home)) is not None:
        return f"{start}{nearest(leaf, found)} The classes in {home} are {', '.join(found) or 'none'}."
    if branch == "model" and (flags := _flags_of_network(name)):
        return f"{start}{flags}"
    known = f" The classes are {', '.join(classes)}." if classes else ""
    return f"{start}{nearest(leaf, classes)}{known}"


def _own_classes(home: str) -> list[str] | None:
    """Returns the classes in a module that the user allows, or None; raises what the module raises."""
    if not any(f"{home}.".startswith(f"{one}.") for one in trusted()):
        return None
    try:
        module = import_module(home)
    except ModuleNotFoundError as error:
        if f"{home}.".startswith(f"{error.name}."):
            return None
        raise
    return [name for name, value in vars(module).items() if isinstance(value, type) and value.__module__ == home]


def _flags_of_network(name: str) -> str:
    """Returns the flags that select a network of the model registry, as a sentence; empty if there is none."""
    family = family_of(name.lower())
    if family is None:
        return ""
    flags = [f"--model {family[0]}", *(f"--model.{key} {value}" for key, value in family[1].items())]
    return f" Use {' '.join(flags)}."


def not_taken(given: Setting, owner: str, known: list[str]) -> str:
    """Message for an argument that an optimizer or schedule does not take."""
    key, _, leaf = given.key.rpartition(".")
    start = f"{key}: {owner} has no argument {leaf} ({given.origin})."
    return f"{start}{nearest(leaf, known)} Its arguments are {', '.join(known)}."


def unfit(given: Setting, expected: str) -> str:
    """Message for a value that does not fit its type, which is given in words."""
    return f"{given.key}: {_short(given.value)} ({given.origin}) has to be {expected}."


def wrong_kind(given: Setting, kind: Any) -> str:
    """Message for a value that does not fit its type, with the likely one."""
    other = _flags_of_network(str(given.value)) if given.key == "model.name" else ""
    near = nearest(str(given.value), [str(choice) for choice in choices_of(kind)])
    return unfit(given, in_words(kind, yaml=True)) + (other or near)


def _wrong_value(given: Setting, message: str) -> str:
    message = message.partition("Given value")[0]
    start = f"{given.key}: {_short(given.value)} ({given.origin})"
    expected = re.findall(r"Expected an? (.+?)(?:\. Got value|$)", message, flags=re.MULTILINE)
    kinds, literals = [], list[str]()
    for kind in (re.sub(r"<class '(.*?)'>", r"\1", e) for e in dict.fromkeys(expected) if "NoneType" not in e):
        if match := re.match(r"(?:typing\.)?Literal\[(.*)\]", kind):
            kind = "one of " + match[1].replace("'", "")
            literals += kind[7:].split(", ")
        kinds.append(PLAIN.get(kind, re.sub("^tuple with", "a list of", kind)))
    if not kinds:
        return f"{start}: {_short(' '.join(message.split()), 300)}"
    return unfit(given, " or ".join(kinds)) + nearest(str(given.value), literals)


def _find(settings: list[Setting], key: str) -> Setting:
    """Returns the setting with this key, or the last one with the same name at its end."""
    by_leaf = [s for s in settings if s.key.rpartition(".")[2] == key.rpartition(".")[2]]
    exact = [s for s in by_leaf if s.key == key]
    return (exact or by_leaf or [Setting(key, None, COMMAND_LINE)])[-1]


def _naming_class(name: str, settings: list[Setting]) -> Setting | None:
    naming = (s for s in reversed(settings) if name in (s.value if isinstance(s.value, list) else [s.value]))
    return next(naming, None)


def _short(value: Any, limit: int = 80) -> str:
    text = text_of(value)
    text = text if text.strip() else repr(text)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _known_keys(branch: str) -> list[str]:
    names = [name for known in settings_of(branch) or () for name in known]
    hidden = ("net", *LINKED) if branch == "model" else ()  # given by the data
    return list(dict.fromkeys(name for name in names if name not in hidden))

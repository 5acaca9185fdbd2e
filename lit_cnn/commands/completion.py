"""Prints a shell's completion script, or the JSON schema with which editors complete configs and experiments."""

import argparse
import json
import re
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from lit_cnn.cli.config_schema import of_type
from lit_cnn.cli.known_settings import BRANCHES, NAMED, PARTS, Known, choices, classes_of, sections, settings_of
from lit_cnn.cli.shipped_configs import shipped_configs, shipped_experiments
from lit_cnn.commands.arguments import Built, Parser
from lit_cnn.errors import ConfigError
from lit_cnn.experiments.schema import schema
from lit_cnn.runs.weights import shipped_weights

SCHEMA = "jsonschema"
SHELLS = ("bash", "zsh", "tcsh")
EPILOG = """In a shell, the Tab key then completes verbs, configs and settings after the command lit_cnn, such as
lit_cnn fit --config qui[Tab]. It needs the package shtab: pip install 'lit-cnn[completion]'

  mkdir -p ~/.local/share/bash-completion/completions
  lit_cnn completion bash > ~/.local/share/bash-completion/completions/lit_cnn

For zsh, write it to a file _lit_cnn in a folder of your fpath.

In an editor with YAML support, such as VS Code with its YAML extension:

  lit_cnn completion jsonschema > lit_cnn.schema.json

and as the first line of a config or experiment:

  # yaml-language-server: $schema=lit_cnn.schema.json
"""
FOLDERS = {"a", "b", "output", "data_dir", "default_root_dir", "resume"}  # complete as folders
# What comes with the package completes beside files: arguments, and the kind of name.
NAMES = {"config": "config", "experiment": "experiment", "run": "weights", "runs": "weights", "weights": "weights"}
# Bash gives --key=value as three words, and shtab knows only --key value: this leaves the = out.
EQUALS = """
_lit_cnn() {
  local words=() position=0 i
  for i in "${!COMP_WORDS[@]}"; do
    if [[ ${COMP_WORDS[i]} != "=" ]]; then
      words+=("${COMP_WORDS[i]}")
    elif (( i == COMP_CWORD )); then
      words+=("")
    fi
    (( i == COMP_CWORD )) && position=$((${#words[@]} - 1))
  done
  local COMP_WORDS=("${words[@]}") COMP_CWORD=$position
  _shtab_lit_cnn "$1" "${words[position]}" "${words[position - 1]}"
}
complete -o bashdefault -F _lit_cnn lit_cnn"""

# An option with a value in shtab's script for zsh. As --key= it is completed in both forms, as --key only without =.
ZSH_OPTION = re.compile(r'^(\s*"--[\w.]+)(\[.*\]:)', re.MULTILINE)


def main(argv: list[str]) -> None:
    """Prints the script or the schema."""
    parser = Parser("completion", __doc__, EPILOG)
    parser.add_argument("format", choices=[*SHELLS, SCHEMA], help="the shell, or jsonschema for editors")
    given = parser.parse_args(argv)
    if given.format == SCHEMA:
        print(json.dumps(schema(), indent=2))
        return
    if find_spec("shtab") is None:
        raise ConfigError("completion: scripts for shells need the package shtab: pip install 'lit-cnn[completion]'")
    import shtab

    script = shtab.complete(whole_parser(), given.format, preamble=_preamble(given.format))
    if given.format == "zsh":
        script = ZSH_OPTION.sub(r"\1=\2", script)
    print(script)
    if given.format == "bash":
        print(EQUALS)


def whole_parser() -> argparse.ArgumentParser:
    """Returns a parser of all verbs with all settings; only for completion scripts, since its types are not checked."""
    from lit_cnn.cli.main import COMMANDS, VERBS

    whole = argparse.ArgumentParser("lit_cnn", description="Trains, tests and uses convolutional networks.")
    verbs = whole.add_subparsers()
    for verb, what in VERBS.items():
        parser = verbs.add_parser(verb, help=what)
        _add_settings(parser)
        _complete(parser.add_argument("config" if verb == "fit" else "run", nargs="*"))
    for verb, what in COMMANDS.items():
        try:
            import_module(f"lit_cnn.commands.{verb}").main(Built.ASK)
        except Built as built:
            parser = verbs.add_parser(verb, help=what, parents=[built.parser], add_help=False)
            if built.parser.takes_settings:
                _add_settings(parser)
            else:
                parser.add_argument("--allow")
            if verb == "check":
                parser.add_argument("config", nargs="*")
            for action in parser._actions:
                _complete(action)
    return whole


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Adds the settings of `fit` to a verb's parser."""
    known = {name: kind for name, kind in sections().items() if name not in ("help", "print_config")}
    for branch in ("model", "data", "trainer", *PARTS):
        for settings in settings_of(branch) or []:
            known |= {f"{branch}.{name}": kind for name, kind in settings.items()}
    for key, kind in known.items():
        if f"--{key}" not in parser._option_string_actions:
            _complete(parser.add_argument(f"--{key}", choices=_choices(key, kind)))
    for branch in ("model", "data"):
        parser.add_argument(f"--{branch}.help", choices=list(classes_of(branch)))
    for flag in ("--print_config", "--help_all"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--allow")


def _preamble(shell: str) -> str:
    """Returns the functions of a script that complete names and files."""
    kinds = {"config": shipped_configs(), "experiment": shipped_experiments(), "weights": shipped_weights()}
    if shell == "tcsh":  # completes files only
        return ""
    if shell == "bash":
        line = '_lit_cnn_{kind}() {{ compgen -W "{names}" -- "$1"; compgen -f -- "$1"; }}'
    else:
        line = "_lit_cnn_{kind}() {{ _alternative 'names:{kind}:({names})' 'files:file:_files'; }}"
    return "\n".join(line.format(kind=kind, names=" ".join(names)) for kind, names in kinds.items())


@cache
def _names_of_lightning() -> dict[str, list[str]]:
    """Returns the names that Lightning knows for settings of the Trainer whose type is any text."""
    from lightning.pytorch.accelerators import AcceleratorRegistry
    from lightning.pytorch.strategies import StrategyRegistry
    from lightning.pytorch.utilities import GradClipAlgorithmType

    return {
        "trainer.accelerator": ["auto", "gpu", *sorted(AcceleratorRegistry.available_accelerators())],
        "trainer.strategy": ["auto", *StrategyRegistry.available_strategies()],
        "trainer.gradient_clip_algorithm": GradClipAlgorithmType.supported_types(),
    }


def _choices(key: str, kind: Known) -> list[str] | None:
    """Returns the values that a setting can have, if they are few."""
    if key in (names := _names_of_lightning()):
        return names[key]
    if key in BRANCHES:
        return list(classes_of(key))
    if key in NAMED:
        return choices(key)
    whole = of_type(kind.type)
    options = [one for part in whole.get("anyOf", [whole]) for one in _values(part)]
    return list(dict.fromkeys(options)) or None


def _values(part: dict[str, Any]) -> list[str]:
    if part.get("type") == "boolean":
        return ["true", "false"]
    return [str(value) for value in part.get("enum", ())]


def _complete(action: Any) -> None:
    """Says how the value of an argument is completed: names of its kind, folders, or files."""
    import shtab

    name = action.dest.rpartition(".")[2]
    if name in NAMES:
        action.complete = {"bash": f"_lit_cnn_{NAMES[name]}", "zsh": f"_lit_cnn_{NAMES[name]}", "tcsh": "f"}
    elif action.choices is None and action.nargs != 0 and name != "allow":
        action.complete = shtab.DIRECTORY if name in FOLDERS else shtab.FILE

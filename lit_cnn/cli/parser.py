"""The parser of the command line: raises errors instead of printing its usage, and writes configs it can read again."""

import warnings
from enum import Enum
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse import Namespace
from lightning.pytorch.cli import LightningArgumentParser

from lit_cnn import files
from lit_cnn.errors import ConfigError

COMMAND = "python -m lit_cnn fit"
UNWRITTEN = "Unable to serialize instance "  # jsonargparse's placeholder for an object


class ParseError(Exception):
    """A message of the parser about a wrong setting; `messages.explain` rewrites it."""


class Parser(LightningArgumentParser):
    """Parser of the Trainer's verbs."""

    def __init__(self, *args: Any, **kwargs: Any):
        command = kwargs.setdefault("prog", f"{COMMAND} ...")  # none from jsonargparse, for `--model.help CLASS`
        kwargs.setdefault("description", "All settings, and their types.")
        kwargs.setdefault("usage", f"{command} [--KEY VALUE ...]")  # with all keys it would fill screens
        super().__init__(*args, **kwargs, allow_abbrev=False)  # --trainer.max_epoch would mean max_epochs

    def error(self, message: str, ex: Exception | None = None) -> Any:
        """Raises ParseError."""
        raise ParseError(message) from ex

    def dump(self, namespace: Namespace, *args: Any, **kwargs: Any) -> str:
        """Returns a config as text, with values as they were given and no placeholders for objects."""
        namespace = namespace.clone()
        for key, value in list(namespace.items()):
            namespace[key] = _plain(value)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=f"[\\s\\S]*{UNWRITTEN}")
            try:
                text: str = super().dump(namespace, *args, **kwargs)
            except yaml.representer.RepresenterError:  # placeholders are written with validation only
                text = super().dump(namespace, *args, **kwargs | {"skip_validation": False})
        if UNWRITTEN not in text:
            return text
        return yaml.safe_dump(_restored(yaml.safe_load(text), namespace, ""), sort_keys=False)

    def save(self, namespace: Namespace, path: Any, **_: Any) -> None:
        """Writes a parsed config in UTF-8, where jsonargparse takes the system's encoding."""
        files.write_text(Path(path), self.dump(namespace, skip_none=False, skip_validation=True))


def _plain(value: Any) -> Any:
    """Returns a value as it is given: Interval.step as step, device(type='cpu') as cpu."""
    if isinstance(value, Namespace):
        for key, inner in list(value.items(nested=False)):
            value[key] = _plain(inner)
        return value
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, Enum) and isinstance(value, str):
        return value.value
    return str(value) if isinstance(value, torch.device) else value


def _is_writable(given: Any) -> bool:
    """Whether a value is plain, though jsonargparse does not know its type, as with `numbers.Number`."""
    if isinstance(given, list | tuple):
        return all(map(_is_writable, given))
    return isinstance(given, str | bool | int | float | None)


def _restored(written: Any, given: Any, key: str) -> Any:
    """Returns the written config, with the original texts of objects."""
    if isinstance(written, dict):
        return {name: _restored(inner, given[name], f"{key}.{name}".lstrip(".")) for name, inner in written.items()}
    if isinstance(written, list):
        return [_restored(inner, one, key) for inner, one in zip(written, given, strict=True)]
    if not (isinstance(written, str) and written.startswith(UNWRITTEN)):
        return written
    if _is_writable(given):
        return given
    raise ConfigError(
        f"{key.replace('.init_args', '')}: {given!r:.80} cannot be written to config.yaml, which repeats the run.\n"
        "Give a text, or the import path of a function or class."
    )

"""Writing configs so that they can be read again: values as given, and no placeholders for objects."""

import warnings
from enum import Enum
from typing import Any

import torch
import yaml
from jsonargparse import Namespace
from lightning.pytorch.cli import LightningArgumentParser

from lit_cnn.errors import ConfigError

UNWRITTEN = "Unable to serialize instance "  # jsonargparse's placeholder for an object


class ReadableDumps(LightningArgumentParser):
    """Parser mixin whose `dump`, `save` and `--print_config` write what the parser can read."""

    def dump(self, namespace: Namespace, *args: Any, **kwargs: Any) -> str:
        """Returns a config as text.

        Raises:
            ConfigError: If a value is an object that cannot be written.
        """
        namespace = namespace.clone()
        for key, value in list(namespace.items()):
            namespace[key] = _plain(value)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=f"[\\s\\S]*{UNWRITTEN}")
            text: str = super().dump(namespace, *args, **kwargs)
        if UNWRITTEN not in text:
            return text
        return yaml.safe_dump(_restored(yaml.safe_load(text), namespace, ""), sort_keys=False)


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


def _restored(written: Any, given: Any, key: str) -> Any:
    """Returns the written config, with the original texts of objects."""
    if isinstance(written, dict):
        return {name: _restored(inner, given[name], f"{key}.{name}".lstrip(".")) for name, inner in written.items()}
    if isinstance(written, list):
        return [_restored(inner, one, key) for inner, one in zip(written, given, strict=True)]
    if not (isinstance(written, str) and written.startswith(UNWRITTEN)):
        return written
    if isinstance(given, str):
        return given
    raise ConfigError(
        f"{key.replace('.init_args', '')}: {given!r:.80} cannot be written to config.yaml, which repeats the run.\n"
        "Give it as a text, or by the import path of a function or class."
    )

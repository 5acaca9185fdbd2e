"""Errors from libraries: where they were raised, and their message for the user."""

import re
from traceback import walk_tb

from lit_cnn.cli.command_line import Setting
from lit_cnn.cli.missing_packages import missing_package
from lit_cnn.errors import ConfigError, LitCNNError, forbidden
from lit_cnn.training import hardware


def raised_in(error: BaseException) -> str:
    """Returns the module that raised an error."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__", ""))


def refusal(error: BaseException, settings: list[Setting]) -> LitCNNError:
    """Returns a class's own error message, which the parser wraps once for each type that it tried.

    If it is about a setting of the Trainer and lacks the given value, that setting is put in front.
    """
    if missing := missing_package(error):
        return missing
    while error.__cause__ is not None and not isinstance(error, LitCNNError):
        error = error.__cause__
    if isinstance(error, LitCNNError):
        return error
    if isinstance(error, PermissionError):
        return forbidden(error)
    text = hardware.explain_devices(" ".join(str(error).split()))
    for setting in reversed(settings):
        section, _, name = setting.key.partition(".")
        if section == "trainer" and name and re.search(rf"\b{name}\b", text) and str(setting.value) not in text:
            return ConfigError(f"{setting.key}: {setting.value} ({setting.origin}) is refused: {text}")
    return ConfigError(text)

"""Errors from libraries as messages for the user: missing packages, and settings that Lightning or torch refuse."""

import re
from traceback import walk_tb

from lightning.pytorch.utilities.exceptions import MisconfigurationException

from lit_cnn.cli.command_line import Setting
from lit_cnn.errors import ConfigError, LitCNNError, forbidden
from lit_cnn.own_code import mistake_in_own_code, place_in_own_code, place_of_method
from lit_cnn.training import hardware

OF_OPTIMIZERS = "lightning.pytorch.core.optimizer"  # where Lightning checks what configure_optimizers has returned
PACKAGE = r"(?:pip install (?:-U )?|Requirement )['\"]?([A-Za-z][\w.\-]*)"


def raised_in(error: BaseException) -> str:
    """Returns the module that raised an error."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__", ""))


def fault_in_run(end: BaseException, settings: list[Setting], early: bool) -> BaseException:
    """Returns the error to report for an exception that ended a run: one of lit_cnn's, or the exception itself.

    Args:
        end: What ended the run.
        settings: Those that the user gave.
        early: Whether it came before the first step.
    """
    for one in (end, end.__cause__):  # the parser wraps some of ours
        if isinstance(one, LitCNNError):
            return one
    if raised_in(end) == OF_OPTIMIZERS:
        modules = [frame.f_locals["model"] for frame, _ in walk_tb(end.__traceback__) if "model" in frame.f_locals]
        place = place_of_method(type(modules[-1]), "configure_optimizers")
        return ConfigError(f"Lightning refuses what {place} returns:\n{' '.join(str(end).split())}")
    refused = isinstance(end, (ValueError, TypeError, RuntimeError, MisconfigurationException))
    if early and refused and raised_in(end).startswith("lightning."):
        return as_ours(end, settings)
    return mistake_in_own_code(end) or end


def as_ours(error: BaseException, settings: list[Setting]) -> LitCNNError:
    """Returns the error message of a class as a ConfigError; the parser wraps it once for each type that it tried.

    For a missing package the message says how to install it; for a setting of the Trainer it has the given value.
    """
    if isinstance(error, LitCNNError):
        return error
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    for one in reversed(chain):
        found = re.search(PACKAGE, str(one))
        if package := found[1] if found else one.name if isinstance(one, ImportError) else None:
            frames = [frame.f_locals for frame, _ in walk_tb(one.__traceback__)]
            makers = [type(variables["self"]).__name__ for variables in frames if "self" in variables]
            named = re.findall(r"class_path='[\w.]*?(\w+)'", str(one))
            place = place_in_own_code(one)  # where an import fails
            what = place or (named or makers or ["This setting"])[-1]
            return ConfigError(
                f"{what} needs the package {package}, which is not installed.\n"
                f"Install it with pip install {package}, or remove {'this import' if place else what}."
            )
    error = next((one for one in chain if isinstance(one, LitCNNError)), chain[-1])
    if isinstance(error, LitCNNError):
        return error
    if isinstance(error, PermissionError):
        return forbidden(error)
    text = hardware.explain_devices(" ".join(str(error).split()))
    for setting in reversed(settings):
        section, _, name = setting.key.partition(".")
        if section == "trainer" and name and re.search(rf"\b{name}\b", text) and str(setting.value) not in text:
            return ConfigError(f"{setting.key}: {setting.value} ({setting.origin}) does not work: {text}")
    return mistake_in_own_code(error) or ConfigError(text)

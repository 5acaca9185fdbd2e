"""Error message for a missing package that a Lightning class needs."""

import re
from traceback import walk_tb

from lit_cnn.errors import ConfigError

PACKAGE = r"(?:pip install (?:-U )?|Requirement )['\"]?([A-Za-z][\w.\-]*)"


def missing_package(error: BaseException) -> ConfigError | None:
    """Returns which package is missing and how to install it, or None if the error is another.

    Args:
        error: The error of Lightning or the parser.
    """
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    for one in reversed(chain):
        found = re.search(PACKAGE, str(one))
        package = found[1] if found else one.name if isinstance(one, ImportError) else None
        if package:
            what = _what_needs_it(one)
            return ConfigError(
                f"{what} needs the package {package}, which is not installed.\n"
                f"Install it with pip install {package}, or leave {what} out."
            )
    return None


def _what_needs_it(error: BaseException) -> str:
    named = re.findall(r"class_path='[\w.]*?(\w+)'", str(error))
    frames = [frame.f_locals for frame, _ in walk_tb(error.__traceback__)]
    makers = [type(variables["self"]).__name__ for variables in frames if "self" in variables]
    return (named or makers or ["This setting"])[-1]

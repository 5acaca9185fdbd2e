"""Mistakes in a user's own code, such as a network: the place, the error and the remedy, as one message."""

import inspect
import linecache
import os
from traceback import walk_tb
from typing import Any

from lit_cnn.errors import ConfigError, is_of_the_machine, is_out_of_memory, printable

# Parts of error messages that need more words.
REMEDIES = {
    "maximum recursion depth exceeded": "It calls itself without end.",
    "before Module.__init__() call": "Call super().__init__() first in __init__.",
    'missing the required "forward" function': "Define forward(self, images), which returns logits [batch, classes].",
    "SystemExit": "Raise an error there instead of this exit.",
}


def mistake_in_own_code(error: BaseException, doing: str = "Your own code") -> ConfigError | None:
    """Returns the error for a mistake in the user's own code; None for other errors and other code.

    Args:
        error: What was raised; sys.exit counts too.
        doing: What the code is, or was doing.
    """
    if not isinstance(error, (Exception, SystemExit)) or is_of_the_machine(error) or is_out_of_memory(error):
        return None
    place = place_in_own_code(error)
    return failure(error, doing, place) if place else None


def failure(error: BaseException, doing: str, place: str = "") -> ConfigError:
    """Returns the error for code that fails at a place, which may be unknown."""
    said = said_by(error)
    remedy = next((remedy for part, remedy in REMEDIES.items() if part in said), "LIT_CNN_DEBUG=1 shows the traceback.")
    return ConfigError(f"{doing} fails{' at ' * bool(place)}{place}:\n{said}\n{remedy}")


def said_by(error: BaseException, most: int = 300) -> str:
    """Returns the kind of an error and its text, or, if it has none, the line of the user's code that raised it."""
    text = "" if error.args == (None,) else " ".join(str(error).split())  # of exit()
    if not text and (found := _found(error)):
        text = linecache.getline(*found[:2]).strip()
    return f"{type(error).__name__}{': ' * bool(text)}{text[:most]}"


def place_in_own_code(error: BaseException) -> str:
    """Returns file, line and function where the user's own code raised an error; nothing if other code did.

    If a library raised it, the place is where the user's code called the library.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename)}:{error.lineno}"
    found = _found(error)
    return f"{_short(found[0])}:{found[1]} ({found[2]})" if found else ""


def place_of_class(cls: type) -> str:
    """Returns file and line of a class of the user's own; nothing for another."""
    try:
        file, (_, line) = inspect.getfile(cls), inspect.getsourcelines(cls)
    except (TypeError, OSError):  # no source
        return ""
    return f"{_short(file)}:{line} (class {cls.__name__})" if _is_own(file) else ""


def place_of_method(cls: type, name: str) -> str:
    """Returns a method's name and, if it is the user's own, its file and line."""
    return own_method(cls, name) or f"{cls.__name__}.{name}"


def own_method(cls: type, name: str) -> str:
    """Returns name, file and line of a method that is the user's own; nothing for another."""
    code: Any = getattr(inspect.unwrap(getattr(cls, name)), "__code__", None)
    own = code and _is_own(code.co_filename)
    return f"{cls.__name__}.{name} at {_short(code.co_filename)}:{code.co_firstlineno}" if own else ""


def _found(error: BaseException) -> tuple[str, int, str] | None:
    for frame, line in reversed(list(walk_tb(error.__traceback__))):
        code = frame.f_code
        if code.co_filename.startswith(OURS):
            return None
        if _is_own(code.co_filename):
            return code.co_filename, line, code.co_name
    return None


OURS, PYTHON = (os.path.join(os.path.dirname(module), "") for module in (__file__, os.__file__))


def _is_own(file: str) -> bool:
    return not (file.startswith((OURS, PYTHON, "<")) or "-packages" in file)


def _short(file: str) -> str:
    return printable(file.removeprefix(os.path.join(os.getcwd(), "")))

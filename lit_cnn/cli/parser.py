"""The parser of the command line."""

from typing import Any

from lit_cnn.cli.readable import ReadableDumps


class ParseError(Exception):
    """A message of the parser about a wrong setting; `explain` rewrites it."""


class Parser(ReadableDumps):
    """Argument parser that raises an error for a wrong setting, instead of printing its usage."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs, allow_abbrev=False)  # --trainer.max_epoch would mean max_epochs

    def error(self, message: str, ex: Exception | None = None) -> Any:
        """Raises ParseError, whose message `explain` rewrites."""
        raise ParseError(message) from ex

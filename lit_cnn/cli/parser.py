"""The parser of the command line."""

from typing import Any

from lit_cnn.cli.readable import ReadableDumps


class ParseError(Exception):
    """What the parser says of a wrong setting, in its own words; `explain` finds a person's."""


class Parser(ReadableDumps):
    """Answers a wrong setting with its key, its value and the nearest right name, in place of a page of usage."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs, allow_abbrev=False)  # --trainer.max_epoch would stand for max_epochs

    def error(self, message: str, ex: Exception | None = None) -> Any:
        """Raises ParseError, whose message `explain` turns into a person's."""
        raise ParseError(message) from ex

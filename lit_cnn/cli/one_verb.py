"""LightningCLI for the one verb that was typed: the parsers of the others, which take as long, are not made."""

from typing import Any

from lightning.pytorch.cli import LightningCLI


class OneVerbCLI(LightningCLI):
    """LightningCLI of the verb that its `args` begin with.

    It makes the parser of each verb of the Trainer otherwise, 0.1 s each for every command.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        self._argv: list[str] = kwargs["args"]
        super().__init__(*args, **kwargs)

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """Returns the verb, with the arguments of the Trainer's method that are no settings."""
        return {self._argv[0]: LightningCLI.subcommands()[self._argv[0]]}

    def parse_arguments(self, parser: Any, args: Any) -> None:
        """Parses, without Lightning's warning where the process has arguments of its own.

        Lightning's table of what was evaluated is not printed unless asked for: the summary has the figures.
        """
        if (verb := self._argv[0]) in ("validate", "test"):
            self._parser(verb).set_defaults({"verbose": False})
        self.config = parser.parse_args(args)

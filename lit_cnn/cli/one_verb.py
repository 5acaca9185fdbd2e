"""LightningCLI with a parser for the typed verb only, which is faster."""

from typing import Any

from lightning.pytorch.cli import LightningCLI


class OneVerbCLI(LightningCLI):
    """LightningCLI for the verb in its `args`.

    LightningCLI itself builds a parser for each verb, which takes 0.1 s each.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        self._argv: list[str] = kwargs["args"]
        super().__init__(*args, **kwargs)

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """Returns the verb, with the arguments of the Trainer's method that are not settings."""
        return {self._argv[0]: LightningCLI.subcommands()[self._argv[0]]}

    def parse_arguments(self, parser: Any, args: Any) -> None:
        """Parses without Lightning's warning about `sys.argv`, and turns off Lightning's table of metrics."""
        if (verb := self._argv[0]) in ("validate", "test"):
            self._parser(verb).set_defaults({"verbose": False})
        self.config = parser.parse_args(args)

"""From the arguments of one of the Trainer's verbs to its config, by LightningCLI."""

from functools import partial
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.loggers import Logger

from lit_cnn.cli.arguments import add_arguments
from lit_cnn.cli.command_line import Setting, config_paths
from lit_cnn.cli.parser import Parser
from lit_cnn.data.module import ImageDataModule
from lit_cnn.training.classifier import LitClassifier

_PARSERS: dict[str, tuple[Any, list[str]]] = {}  # of each verb, with the names of the arguments of this verb alone


class ParsingCLI(LightningCLI):
    """Parses one verb by LightningCLI.

    Lightning's own subcommands need a parser for each verb, and replace the given settings by a checkpoint's
    (https://github.com/Lightning-AI/pytorch-lightning/issues/21455).
    """

    _of_verb: list[str]  # names of the arguments of this verb alone

    def __init__(self, argv: list[str], given: list[Setting]):
        self.verb, self.given, self._configs = argv[0], given, config_paths(argv)
        super().__init__(
            LitClassifier,
            ImageDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            parser_class=Parser,
            parser_kwargs={"prog": f"python -m lit_cnn {self.verb}"},
            seed_everything_default=0,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            args=argv[1:],
            run=False,
        )

    def setup_parser(self, *args: Any) -> None:
        """Builds the verb's parser, once in a process: it takes 0.1 s, and `ablate` has a config for each variant."""
        if self.verb not in _PARSERS:
            super().setup_parser(*args)
            _PARSERS[self.verb] = self.parser, self._of_verb
        self.parser, self._of_verb = _PARSERS[self.verb]
        vars(self.parser).pop("print_config", None)  # which jsonargparse leaves there after an error

    def add_arguments_to_parser(self, parser: Any) -> None:
        """Adds the arguments of every verb in addition to model, data and trainer, and those of the verb."""
        add_arguments(parser)
        # Loggers are made when the run has a folder.
        parser.add_instantiator(lambda kind, *args, **arguments: partial(kind, *args, **arguments), Logger)
        self._of_verb = parser.add_method_arguments(Trainer, self.verb, skip=self.subcommands()[self.verb])
        if self.verb in ("validate", "test"):
            parser.set_defaults({"verbose": False})  # no second table of metrics

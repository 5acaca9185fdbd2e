"""Time estimates of trainings, from a few timed steps."""

from itertools import chain
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from lit_cnn.checks.cost import length_of
from lit_cnn.checks.trial import Steps, take_first_steps
from lit_cnn.cli.trainer import run_verb
from lit_cnn.commands.check import CheckCLI, state_kept

SECONDS = 0.7  # for timed steps


class TimingCLI(CheckCLI):
    """Begins `fit`, times a few steps, and prints nothing.

    Attributes:
        seconds: Estimated time of the training with its validations; infinite if it has no limit.
    """

    seconds = 0.0

    def inspect(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Times the steps."""
        trainer.should_stop = True
        loader: Any = trainer.train_dataloader
        first = take_first_steps(Steps(trainer, self.model), chain(loader, loader), SECONDS)
        length = length_of(trainer, self.model, self.datamodule, first.seconds)
        self.seconds = length.epochs * (length.training + length.validation)

    def before(self) -> None:
        """Prints nothing."""

    after = before


def seconds_of(argv: list[str]) -> float:
    """Estimates how many seconds `fit` would train with these arguments.

    Raises:
        LitCNNError: The error of `fit` for a wrong setting.
    """
    with state_kept():
        return run_verb(["fit", *argv], TimingCLI).seconds

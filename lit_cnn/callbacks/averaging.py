"""Averaged weights (EMA), which are Lightning's WeightAveraging and its subclasses."""

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import WeightAveraging


def forget_averages(trainer: Trainer) -> None:
    """Lets go of the averages after a fit, so that a checkpoint is tested as it was validated, with the average in it.

    Lightning 2.6 gives any checkpoint that is loaded afterwards the weights that training would go on from.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, WeightAveraging):
            callback._average_model = None

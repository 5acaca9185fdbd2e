"""What a run leaves behind beyond its scalars, and what it shows while it goes on."""

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger


def tensorboards(trainer: Trainer) -> list[TensorBoardLogger]:
    """Returns the trainer's loggers that write for TensorBoard."""
    return [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]

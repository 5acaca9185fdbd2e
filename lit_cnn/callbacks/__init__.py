"""Callbacks: checkpoints, results, progress, predictions, TensorBoard figures and signals."""

from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger


def tensorboards(trainer: Trainer) -> list[TensorBoardLogger]:
    """Returns the trainer's TensorBoard loggers."""
    return [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]


def log_everywhere(trainer: Trainer, figures: dict[str, Any], ago: int = 1) -> None:
    """Logs metrics of an epoch with all loggers, at the step `ago` steps before the present one."""
    for logger in trainer.loggers:
        logger.log_metrics(figures, trainer.global_step - ago)

"""Disk check before training: is there enough space for a checkpoint, and is writing permitted?"""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only

from lit_cnn.runs import checkpoint_io

STATES = 3  # numbers in a checkpoint for each weight: the weight, and two of Adam


class DiskCheck(Callback):
    """Finds a full or read-only disk before the first step, and deletes partial files of killed runs.

    It checks the folder of the checkpoints. It also deletes partial files beside the resumed checkpoint.
    """

    @rank_zero_only
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Deletes partial files, and reserves the space of a checkpoint for a moment; DiskError if it cannot."""
        if trainer.ckpt_path:
            checkpoint_io.sweep(Path(trainer.ckpt_path).parent)
        size = STATES * sum(weight.nbytes for weight in pl_module.state_dict().values())
        for folder in {Path(d) for c in trainer.checkpoint_callbacks if (d := getattr(c, "dirpath", None))}:
            checkpoint_io.sweep(folder)
            checkpoint_io.probe(folder, size)

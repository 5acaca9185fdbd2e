"""The disk that checkpoints go to, looked at before anything is trained for them."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only

from lit_cnn.runs import checkpoint_io

STATES = 3  # of each weight a checkpoint holds itself and what the optimizer keeps of it: Adam two numbers


class DiskCheck(Callback):
    """Finds a full or read-only disk before the first step, and deletes what a killed run left half-written.

    It looks where checkpoints are written, and where the one lies that the run goes on from.
    """

    @rank_zero_only
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Sweeps, then takes the room that a checkpoint needs, and gives it back.

        Raises:
            DiskError: If a checkpoint could not be written.
        """
        if trainer.ckpt_path:
            checkpoint_io.sweep(Path(trainer.ckpt_path).parent)
        size = STATES * sum(weight.nbytes for weight in pl_module.state_dict().values())
        for folder in {
            Path(c.dirpath) for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint) and c.dirpath
        }:
            checkpoint_io.sweep(folder)
            checkpoint_io.probe(folder, size)

"""What callbacks that draw have in common: when there is time for it, and where figures go."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Int64
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.figure import Figure
from torch import Tensor

from lit_cnn.callbacks import tensorboards
from lit_cnn.callbacks.tensorboard.epoch_axis import place
from lit_cnn.data.module import ImageDataModule
from lit_cnn.keyed_random import permutation

SHARE = 0.005  # of a run's time that each callback may take in the middle of it: four together 2 %
UNKNOWN = 1.0  # seconds that the first figure is taken to cost


class Budget:
    """Bounds what drawing costs: it is allowed once its share of the time is more than what it will have taken."""

    def __init__(self, share: float = SHARE, first: float = UNKNOWN):
        self.share = share
        self._start, self._spent, self._last = time.monotonic(), 0.0, first

    def allows(self) -> bool:
        """Says whether to draw now, in the middle of a run."""
        return self._spent + self._last <= self.share * (time.monotonic() - self._start)

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Counts what happens inside."""
        start = time.monotonic()
        yield
        self._last = time.monotonic() - start
        self._spent += self._last


def boards(trainer: Trainer) -> list[TensorBoardLogger]:
    """Returns where figures go: nowhere if the run's pictures are turned off."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return tensorboards(trainer) if all(getattr(c, "draws_at_all", True) for c in callbacks) else []


def data_of(trainer: Trainer) -> ImageDataModule | None:
    """Returns the data module if it is one of ours, whose images can be looked up, and if there is a board."""
    data = getattr(trainer, "datamodule", None)
    return data if isinstance(data, ImageDataModule) and boards(trainer) else None


def some(data: ImageDataModule, split: str, n: int) -> Int64[Tensor, "b"]:
    """Returns the indices of up to n images of a split, always the same, drawn since files may be sorted by class."""
    arrays = data.arrays(split)
    return permutation(len(arrays), "pictures", split)[:n].sort().values.to(arrays.device)


@contextmanager
def evaluating(module: LightningModule) -> Iterator[None]:
    """Has the network evaluate, and leaves every part of it as it was."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, training in modes.items():
            part.training = training


def for_network(module: LightningModule, inputs: Tensor) -> Tensor:
    """Returns inputs on the network's device and in its precision."""
    return inputs.to(module.device, next(module.parameters()).dtype)


def add(trainer: Trainer, tag: str, figure: Figure) -> None:
    """Adds a figure to the boards."""
    for logger in boards(trainer):
        logger.experiment.add_figure(tag, figure, global_step=place(logger, trainer), close=False)

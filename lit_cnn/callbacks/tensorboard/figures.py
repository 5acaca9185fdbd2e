"""Shared code of the callbacks that draw: time budget, loggers that show figures, evaluation mode."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import torch
from jaxtyping import Int64
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CometLogger, MLFlowLogger, TensorBoardLogger
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from lit_cnn.callbacks import tensorboards
from lit_cnn.callbacks.tensorboard.board import place
from lit_cnn.data.module import ImageDataModule
from lit_cnn.keyed_random import permutation

SHARE = 0.005  # of a run's time for each callback that draws: 2 % for four


class Budget:
    """Time budget for drawing, as a share of the run's time; `first` is the assumed seconds of the first figure."""

    def __init__(self, first: float):
        self._start, self._spent, self._last = time.monotonic(), 0.0, first

    def allows(self) -> bool:
        """Whether there is time to draw now, during a run."""
        return self._spent + self._last <= SHARE * (time.monotonic() - self._start)

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Measures the time of the `with` block."""
        start = time.monotonic()
        yield
        self._last = time.monotonic() - start
        self._spent += self._last


class Draws(Callback):
    """Base of the callbacks that draw: each has a time budget in each run."""

    first = 1.0  # assumed seconds of the first figure

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._budget = Budget(self.first)


def boards(trainer: Trainer) -> list[TensorBoardLogger]:
    """Returns the TensorBoard loggers for figures; none if the run's pictures are turned off."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return tensorboards(trainer) if all(getattr(c, "draws_at_all", True) for c in callbacks) else []


def data_of(trainer: Trainer) -> ImageDataModule | None:
    """Returns the data module if it is an ImageDataModule and there is a TensorBoard logger."""
    data = getattr(trainer, "datamodule", None)
    return data if isinstance(data, ImageDataModule) and boards(trainer) else None


def some(data: ImageDataModule, split: str, n: int) -> Int64[Tensor, "b"]:
    """Returns the indices of up to n random images of a split, always the same."""
    arrays = data.arrays(split)
    return permutation(len(arrays), "pictures", split)[:n].sort().values.to(arrays.device)


@contextmanager
def evaluating(module: LightningModule) -> Iterator[None]:
    """Sets evaluation mode without gradients, and restores the mode of every part."""
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
    """Adds a figure to every logger that can show one, if the run's pictures are on."""
    for logger in trainer.loggers if boards(trainer) else ():
        experiment: Any = getattr(logger, "experiment", None)
        if isinstance(logger, TensorBoardLogger):
            experiment.add_figure(tag, figure, global_step=place(logger, trainer), close=False)
        elif isinstance(logger, MLFlowLogger):
            experiment.log_image(logger.run_id, _image(figure), key=tag, step=trainer.global_step)
        elif isinstance(logger, CometLogger):
            experiment.log_figure(tag, figure, step=trainer.global_step)
        elif hasattr(logger, "log_image"):  # as of WandbLogger
            logger.log_image(key=tag, images=[_image(figure)], step=trainer.global_step)


def _image(figure: Figure) -> Image.Image:
    figure.savefig(file := BytesIO(), format="png")
    return Image.open(file)

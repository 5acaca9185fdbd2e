"""Cost of the TensorBoard callbacks: `fit` with and without them, alternately, and the ratio of the times.

Each run is whole: from the start of `fit` to its end, with the figures that are drawn at the end. These take the same
few seconds in a run of any length, so that the ratio of a longer run is nearer to 1. In seconds of the CPU, since such
long turns meet different neighbours on a shared machine.
"""

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from time import process_time
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from lit_cnn import LitClassifier, LitCNN, LitLeNet, LitResNet
from lit_cnn.callbacks.tensorboard.evaluation import Evaluation
from lit_cnn.callbacks.tensorboard.features import Features
from lit_cnn.callbacks.tensorboard.graph import Graph
from lit_cnn.callbacks.tensorboard.health import Health
from lit_cnn.callbacks.tensorboard.pictures import Pictures
from scripts.benchmarks.noise import Noise
from scripts.benchmarks.timing import spread

KINDS: tuple[type[Callback], ...] = (Pictures, Evaluation, Features, Health, Graph)
# Network, dataset, share of its training images, epochs.
CASES: dict[str, tuple[type[LitClassifier], str, float, int]] = {
    "CNN on MNIST": (LitCNN, "mnist", 1.0, 4),
    "small net on CIFAR-10": (LitLeNet, "cifar10", 1.0, 4),
    "ResNet-18 on CIFAR-10": (LitResNet, "cifar10", 0.02, 3),
}


def measure(repetitions: int = 3, only: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields for each network the ratio of the times of a run with everything to one with nothing."""
    for name, (network, dataset, share, epochs) in CASES.items():
        if not name.startswith(only):
            continue
        data = Noise(dataset, share, batch_size=64, val_size=0.1)
        settings: dict[str, Any] = {"in_channels": data.in_channels, "image_size": data.image_size}
        fit = partial(_fit, network, settings, data, epochs)
        fit([])  # warms up
        turns = [(_cpu_seconds(fit, [kind() for kind in KINDS]), _cpu_seconds(fit, [])) for _ in range(repetitions)]
        more = sorted(on - off for on, off in turns)[len(turns) // 2]
        took = sorted(off for _, off in turns)[len(turns) // 2]
        yield name, spread([on / off for on, off in turns]) | {"CPU seconds": round(took, 1), "more": round(more, 1)}


def _cpu_seconds(work: Callable[[list[Callback]], None], callbacks: list[Callback]) -> float:
    start = process_time()
    work(callbacks)
    return process_time() - start


def _fit(
    network: type[LitClassifier], settings: dict[str, Any], data: Noise, epochs: int, callbacks: list[Callback]
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        Trainer(
            max_epochs=epochs,
            callbacks=callbacks,
            logger=[TensorBoardLogger(folder, name="", version=""), CSVLogger(folder, name="", version="")],
            default_root_dir=folder,
            enable_model_summary=False,
            enable_progress_bar=False,
            enable_checkpointing=False,
        ).fit(network(**settings), data)

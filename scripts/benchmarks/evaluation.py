"""The validation within `fit` of 10,000 images, against a bare loop on resident data that counts the same.

The bare loop has its images normalised in memory, as float32; lit_cnn has bytes, and makes float32 of them anew.
"""

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch.nn import functional as F

from lit_cnn import LitCNN, LitLeNet, LitMLP, LitVGG
from lit_cnn.callbacks.progress import Progress
from lit_cnn.training.classifier import LitClassifier
from scripts.benchmarks.noise import Noise
from scripts.benchmarks.timing import seconds, spread

BATCH = 500
CASES: dict[str, tuple[type[LitClassifier], str]] = {
    "MLP on MNIST": (LitMLP, "mnist"),
    "CNN on MNIST": (LitCNN, "mnist"),
    "small net on CIFAR-10": (LitLeNet, "cifar10"),
    "VGG on CIFAR-10": (LitVGG, "cifar10"),
}


class TimeValidation(Callback):
    """Times each validation, and something else before it or after it by turns."""

    def __init__(self, other: Callable[[], None]):
        self.other = other
        self.ours: list[float] = []
        self.others: list[float] = []

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock."""
        if len(self.ours) % 2:
            self.others.append(seconds(self.other))
        self._start = perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops it."""
        self.ours.append(perf_counter() - self._start)
        if len(self.ours) % 2:
            self.others.append(seconds(self.other))


def measure(repetitions: int = 5, only: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields for each network the ratio of images per second."""
    for name, (network, dataset) in CASES.items():
        if not name.startswith(only):
            continue
        data = Noise(dataset, val_size=10_000, batch_size=64, eval_batch_size=BATCH)
        data.setup("fit")
        settings: dict[str, Any] = {"in_channels": data.in_channels, "image_size": data.image_size}
        module = network(**settings)
        timer = TimeValidation(_bare_loop(module, data))
        with (
            tempfile.TemporaryDirectory() as folder,
            contextlib.redirect_stderr(io.StringIO()),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            Trainer(
                max_epochs=repetitions + 1,
                limit_train_batches=4,
                num_sanity_val_steps=0,
                callbacks=[timer, Progress()],
                logger=[TensorBoardLogger(folder, name="", version=""), CSVLogger(folder, name="", version="")],
                default_root_dir=folder,
                enable_model_summary=False,
                enable_checkpointing=False,
            ).fit(module, data)
        pairs = list(zip(timer.others, timer.ours, strict=True))[1:]  # the first warms up
        yield (
            name,
            spread([other / ours for other, ours in pairs])
            | {"images/s": round(10_000 * len(pairs) / sum(ours for _, ours in pairs))},
        )


def _bare_loop(module: LitClassifier, data: Noise) -> Callable[[], None]:
    assert data.preprocess is not None
    arrays = data.arrays("val")
    images, labels = data.preprocess(arrays.images), arrays.labels

    @torch.inference_mode()
    def evaluate() -> None:
        module.net.eval()
        loss, right = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        for some, classes in zip(images.split(BATCH), labels.split(BATCH), strict=True):
            logits = module.net(some)
            loss += F.cross_entropy(logits, classes, reduction="sum")
            right += (logits.argmax(dim=1) == classes).sum()
        float(loss), int(right)

    return evaluate

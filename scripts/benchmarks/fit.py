"""`fit` with everything on, against a bare loop on resident data, the usual Lightning script, and `--fast_loop false`.

Each epoch of `fit` is followed by one of the other, in the same process, on images of the same size, with the same
network and optimizer. The bare loop counts the same loss and accuracy. "Everything on" is what
`python -m lit_cnn fit` has: metrics, CSV and TensorBoard, the progress bar, checkpoints. Of the VGG it is bfloat16
that is compared with the usual script. Lightning's own loop takes every other epoch of a training of ours.
"""

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy

from lit_cnn import LitClassifier, LitCNN, LitLeNet, LitMLP, LitResNet, LitVGG
from lit_cnn.callbacks.progress import Progress
from scripts.benchmarks.data import per_image_loader
from scripts.benchmarks.noise import Noise
from scripts.benchmarks.timing import seconds, spread

BATCH = 64
SGD = {"lr": 0.01, "optimizer": "SGD", "optimizer_args": {"momentum": 0.5}}
# Network, dataset, share of its training images, and the precision to compare with the usual script, if it is.
CASES: dict[str, tuple[type[LitClassifier], str, float, str | None]] = {
    "MLP on MNIST": (LitMLP, "mnist", 1.0, "32-true"),
    "CNN on MNIST": (LitCNN, "mnist", 0.5, None),
    "small net on CIFAR-10": (LitLeNet, "cifar10", 0.5, "32-true"),
    "VGG on CIFAR-10": (LitVGG, "cifar10", 0.05, "bf16-mixed"),
    "ResNet-18 on CIFAR-10": (LitResNet, "cifar10", 0.02, None),
}
THEIR_SHARE = 0.1  # of our training images, in an epoch of the usual script


class BareLoop:
    """Plain PyTorch on normalised images in memory."""

    def __init__(self, module: LitClassifier, data: Noise):
        assert data.preprocess is not None
        arrays = data.arrays("train")
        self.images, self.labels = data.preprocess(arrays.images), arrays.labels
        self.net = module.net
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.01, momentum=0.5, fused=True)

    def train(self) -> tuple[float, float]:
        """Takes one epoch and returns loss and accuracy."""
        self.net.train()
        n = len(self.labels)
        loss_sum, right = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        for indices in torch.randperm(n).split(BATCH):
            images, labels = self.images.index_select(0, indices), self.labels.index_select(0, indices)
            logits = self.net(images)
            loss = F.cross_entropy(logits, labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            loss_sum += loss.detach() * len(labels)
            right += (logits.argmax(dim=1) == labels).sum()
        return float(loss_sum) / n, int(right) / n


class Alternate(Callback):
    """Times each epoch of a training, and has something else timed before each."""

    def __init__(self, other: Callable[[], float]):
        self.other = other
        self.ours: list[float] = []
        self.others: list[float] = []
        self._start: float | None = None

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends an epoch, with all that was written at its end, and starts the next."""
        if self._start is not None:
            self.ours.append(perf_counter() - self._start)
        self.others.append(self.other())
        self._start = perf_counter()

    def ratios(self) -> list[float]:
        """Returns how many times longer the other takes, without the first epochs, which warm up."""
        return [other / ours for other, ours in zip(self.others, self.ours, strict=False)][1:]


class Turn(Callback):
    """Times the epochs of a training that takes the fast loop in every other."""

    def __init__(self) -> None:
        self.fast: list[float] = []
        self.slow: list[float] = []
        self._start = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends an epoch, with all that was written at its end, and starts the next."""
        if trainer.current_epoch:
            (self.fast if pl_module.fast_loop else self.slow).append(perf_counter() - self._start)
        pl_module.fast_loop = trainer.current_epoch % 2 == 0  # type: ignore[assignment]
        self._start = perf_counter()

    def ratios(self) -> list[float]:
        """Returns how many times longer Lightning's loop takes, without the first epochs, which warm up."""
        return [slow / fast for slow, fast in zip(self.slow, self.fast, strict=False)][1:]


class UsualModule(LightningModule):
    """What tutorials show: torchmetrics called on every batch, loss and accuracy logged by step and epoch."""

    def __init__(self, module: LitClassifier):
        super().__init__()
        self.net = module.net
        self.accuracy = MulticlassAccuracy(10, average="micro")

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        """Returns the loss."""
        images, labels = batch
        logits = self.net(images)
        loss = F.cross_entropy(logits, labels)
        self.accuracy(logits, labels)
        self.log("loss", loss, on_step=True, on_epoch=True, prog_bar=True)
        self.log("acc", self.accuracy, on_step=True, on_epoch=True, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Returns plain SGD."""
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.5)


class UsualScript:
    """The usual Lightning script with torchvision's DataLoader, an epoch at a time."""

    def __init__(self, module: LitClassifier, data: Noise, dataset: str, folder: Path):
        self.n = int(data.n["train"] * THEIR_SHARE)
        self.module, self.folder = UsualModule(module), folder
        self.loader = per_image_loader(data, dataset, workers=2, n=self.n, batch_size=BATCH)

    def train(self) -> float:
        """Returns the seconds of an epoch, the second one, when the workers have started."""
        clock, logger = Alternate(lambda: 0.0), TensorBoardLogger(self.folder)
        trainer = Trainer(max_epochs=3, callbacks=[clock], default_root_dir=self.folder, logger=logger)
        trainer.fit(self.module, self.loader)
        return clock.ours[1]


def measure(repetitions: int = 5, only: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields for each network the ratios of images per second."""
    for name, (network, dataset, share, precision) in CASES.items():
        if not name.startswith(only):
            continue
        data = Noise(dataset, share, batch_size=BATCH)
        data.setup("fit")
        settings: dict[str, Any] = {"in_channels": data.in_channels, "image_size": data.image_size} | SGD
        n = data.n["train"]
        bare = BareLoop(network(**settings), data)
        against_bare = Alternate(partial(seconds, bare.train))
        train(network(**settings), data, against_bare, repetitions)
        yield f"{name}, over a bare loop", spread(against_bare.ratios()) | _rate(n, against_bare.ours)
        over_slow = Turn()
        train(network(**settings), data, over_slow, repetitions * 2 + 1)
        yield f"{name}, fast loop over Lightning's", spread(over_slow.ratios()) | _rate(n, over_slow.fast[1:])
        if precision:
            with tempfile.TemporaryDirectory() as folder:
                usual = UsualScript(network(**settings), data, dataset, Path(folder))
                against_usual = Alternate(usual.train)
                train(network(**settings), data, against_usual, repetitions, precision)
            ratios = [ratio / THEIR_SHARE for ratio in against_usual.ratios()]
            kind = "" if precision == "32-true" else f" in {precision}"
            yield f"{name}{kind}, over the usual script", spread(ratios, 2) | _rate(n, against_usual.ours)


def _rate(n: int, took: list[float]) -> dict[str, int]:
    return {"images/s": round(n / median(took))}


def train(module: LitClassifier, data: Noise, timer: Callback, repetitions: int, precision: Any = "32-true") -> None:
    """Trains with everything on that `python -m lit_cnn fit` has, and prints nothing."""
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        Trainer(
            max_epochs=repetitions + 2,  # the first warms up, the last has no end
            precision=precision,
            callbacks=[timer, Progress(), ModelCheckpoint(filename="last", enable_version_counter=False)],
            logger=[TensorBoardLogger(folder, name="", version=""), CSVLogger(folder, name="", version="")],
            default_root_dir=folder,
            enable_model_summary=False,
        ).fit(module, data)

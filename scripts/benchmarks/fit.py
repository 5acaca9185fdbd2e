"""`fit` with everything on, against a bare loop on resident data and against the usual Lightning script.

Each epoch of `fit` is followed by one of the bare loop, in the same process, on the same images, with the same network
and optimizer. The bare loop counts the same loss and accuracy. "Everything on" is what `python -m lit_cnn fit` has:
metrics, CSV and TensorBoard, the progress bar, checkpoints.
"""

import contextlib
import io
import tempfile
from pathlib import Path
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
# Network, dataset, share of its training images, and whether the usual script is timed too.
CASES: dict[str, tuple[type[LitClassifier], str, float, bool]] = {
    "MLP on MNIST": (LitMLP, "mnist", 1.0, True),
    "CNN on MNIST": (LitCNN, "mnist", 0.5, False),
    "small net on CIFAR-10": (LitLeNet, "cifar10", 0.5, True),
    "VGG on CIFAR-10": (LitVGG, "cifar10", 0.05, True),
    "ResNet-18 on CIFAR-10": (LitResNet, "cifar10", 0.02, False),
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
    """Times each epoch of a training, and runs something else before each."""

    def __init__(self, other: Any):
        self.other = other
        self.ours: list[float] = []
        self.others: list[float] = []
        self._start: float | None = None

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends an epoch, with all that was written at its end, and starts the next."""
        if self._start is not None:
            self.ours.append(perf_counter() - self._start)
        self.others.append(seconds(self.other))
        self._start = perf_counter()


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


def measure(repetitions: int = 5) -> dict[str, Any]:
    """Returns for each network the ratios of images per second."""
    found = {}
    for name, (network, dataset, share, with_usual) in CASES.items():
        data = Noise(dataset, share, batch_size=BATCH)
        settings: dict[str, Any] = {"in_channels": data.in_channels, "image_size": data.image_size} | SGD
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
            data.setup("fit")
            bare = BareLoop(network(**settings), data)
            alternate = Alternate(bare.train)
            with contextlib.redirect_stdout(io.StringIO()):
                _fit(network(**settings), data, alternate, repetitions + 2, Path(folder))
            pairs = list(zip(alternate.others, alternate.ours, strict=False))[1:]  # the first warms up
            found[f"{name}, over a bare loop"] = spread([other / ours for other, ours in pairs]) | {
                "images/s": round(data.n["train"] * len(pairs) / sum(ours for _, ours in pairs))
            }
            if with_usual:
                found[f"{name}, over the usual script"] = _over_usual(network(**settings), data, dataset, pairs, folder)
    return found


def _over_usual(module: LitClassifier, data: Noise, dataset: str, pairs: list, folder: str) -> dict[str, float]:
    n = int(data.n["train"] * THEIR_SHARE)
    loader = per_image_loader(data, dataset, workers=2, n=n, batch_size=BATCH)
    alternate = Alternate(lambda: None)
    with contextlib.redirect_stdout(io.StringIO()):
        trainer = Trainer(
            max_epochs=len(pairs) + 2, callbacks=[alternate], default_root_dir=folder, logger=TensorBoardLogger(folder)
        )
        trainer.fit(UsualModule(module), loader)
    theirs = [took / n for took in alternate.ours[1:]]
    ratios = [usual / (ours / data.n["train"]) for usual, (_, ours) in zip(theirs, pairs, strict=False)]
    return spread(ratios, 2) | {"images/s, usual": round(len(theirs) / sum(theirs))}


def _fit(module: LitClassifier, data: Noise, alternate: Alternate, epochs: int, folder: Path) -> None:
    Trainer(
        max_epochs=epochs,
        callbacks=[alternate, Progress(), ModelCheckpoint(filename="last", enable_version_counter=False)],
        logger=[TensorBoardLogger(folder, name="", version=""), CSVLogger(folder, name="", version="")],
        default_root_dir=folder,
        enable_model_summary=False,
    ).fit(module, data)

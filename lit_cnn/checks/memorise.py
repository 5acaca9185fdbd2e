"""Whether a network can learn a few images by heart, the quickest sign that it can learn at all."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor
from torch.nn.modules.dropout import _DropoutNd
from torch.optim import Adam

from lit_cnn.checks.trial import Steps
from lit_cnn.classifiers import Batch
from lit_cnn.data.base import ImageDataModule
from lit_cnn.data.loader import RawBatch
from lit_cnn.optimizers import parameters_to_train
from lit_cnn.transforms.draws import permutation

IMAGES = 16
STEPS, SUBSTITUTE_STEPS = 30, 60  # for the run's own optimizer, and for each that takes its place
BY_HEART = 0.9  # share of the images that have to be right
# Where the run's own optimizer does not manage in so few steps: tiny networks need larger rates than the first, deep
# ones without batch norm smaller.
SUBSTITUTES = (1e-3, 1e-4, 1e-2)


@dataclass(frozen=True)
class Attempt:
    """What training on the same few images came to.

    Attributes:
        optimizer: Its name and learning rate.
        steps: Steps that were taken.
        right: Images that came out right before the last of them.
        images: Number of images.
        constant: How many come out right where all get the same answer.
        own: Whether it is the run's own optimizer.
    """

    optimizer: str
    steps: int
    right: int
    images: int
    constant: int
    own: bool = False

    @property
    def by_heart(self) -> bool:
        """Whether nearly all images came out right."""
        return self.right >= BY_HEART * self.images


def memorise(steps: Steps, batch: Batch, advance: Callable[[], object]) -> list[Attempt]:
    """Trains on one batch, with dropout off, until it is known by heart or no optimizer is left.

    Args:
        steps: Where to train; each optimizer starts afresh.
        batch: Images and their classes.
        advance: Called after each step.
    """
    attempts = []
    constant, lr = int(batch[1].bincount().max()), steps.module.hparams["lr"]
    for substitute in (None, *SUBSTITUTES):
        steps.start_afresh()
        for layer in steps.module.modules():
            if isinstance(layer, _DropoutNd):
                layer.eval()
        if substitute is None:
            optimizer = steps.optimizer
            for group in optimizer.param_groups:
                group["lr"] = lr  # not the start of a warm-up
        else:
            optimizer = Adam(parameters_to_train(steps.module), lr=substitute)
        taken, right, loss = 0, 0, torch.tensor(0.0)
        at_most = STEPS if substitute is None else SUBSTITUTE_STEPS
        while taken < at_most and right < BY_HEART * len(batch[1]) and loss.isfinite():
            logits, loss = steps.take(batch, optimizer)
            right = int((logits.argmax(dim=1) == batch[1]).sum())
            taken += 1
            advance()
        name = f"{type(optimizer).__name__}, lr {substitute or lr:g}"
        attempts.append(Attempt(name, taken, right, len(batch[1]), constant, substitute is None))
        if attempts[-1].by_heart:
            break
    return attempts


def images_to_learn(data: ImageDataModule, device: torch.device, n: int = IMAGES) -> Batch:
    """Returns up to n training images without augmentation, with as many of each class as can be."""
    arrays = data.arrays("train")
    order = permutation(len(arrays), data.run_seed, "order", 0)
    indices = order[_evenly(arrays.labels.cpu()[order], n)]
    images, labels = arrays.gather(indices.to(arrays.device))
    return data.transform(RawBatch(images.to(device), labels.to(device), indices), None)


def _evenly(labels: Int64[Tensor, "n"], n: int) -> Int64[Tensor, "m"]:
    """Returns the positions of the first image of each class, then of the second of each, up to n of them."""
    turn = torch.empty_like(labels)
    for label in labels.unique():
        of_it = labels == label
        turn[of_it] = torch.arange(int(of_it.sum()))
    return turn.argsort(stable=True)[:n]

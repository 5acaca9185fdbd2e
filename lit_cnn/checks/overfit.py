"""Overfitting one batch: the quickest sign that a network can learn at all."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor
from torch.nn.modules.dropout import _DropoutNd
from torch.optim import Adam
from tqdm import tqdm

from lit_cnn.checks.trial import Steps
from lit_cnn.data.module import ImageDataModule
from lit_cnn.keyed_random import permutation
from lit_cnn.training.classifier import Batch
from lit_cnn.training.optimizers import parameters_to_train

IMAGES = 16
STEPS = 30  # with the run's own optimizer
ENOUGH = 0.9  # share of correct images
# Learning rates of Adam and numbers of steps, tried if the run's own optimizer fails: deep networks without batch norm
# need a smaller rate, tiny ones a larger rate and more steps.
SUBSTITUTES = ((1e-3, 60), (1e-4, 60), (1e-2, 150))


class Attempt(NamedTuple):
    """Result of overfitting one batch with one optimizer."""

    optimizer: str  # name and learning rate
    steps: int
    right: int  # number of correct images before the last step
    images: int
    loss: float  # the lowest, without auxiliary heads
    own: bool = False  # whether it is the run's own optimizer

    @property
    def succeeded(self) -> bool:
        """Whether nearly all images were correct."""
        return self.right >= ENOUGH * self.images


def overfit(steps: Steps, batch: Batch) -> list[Attempt]:
    """Overfits one batch, without dropout; tries several optimizers from the initial weights until one succeeds."""
    attempts: list[Attempt] = []
    module, labels = steps.module, batch[1]
    bar = tqdm(desc="overfitting one batch", unit=" steps", leave=False, disable=None)
    for rate, at_most in ((None, STEPS), *SUBSTITUTES):
        steps.start_afresh()
        for layer in module.modules():
            if isinstance(layer, _DropoutNd):
                layer.eval()
        optimizer = Adam(parameters_to_train(module), lr=rate) if rate else steps.optimizer
        for group in () if rate else optimizer.param_groups:
            group["lr"] = group.get("initial_lr", module.hparams["lr"])  # not the start of a warm-up
        taken, right, loss, lowest = 0, 0, 0.0, math.inf
        while taken < at_most and right < ENOUGH * len(labels) and math.isfinite(loss):
            logits, _ = steps.take(batch, optimizer)
            right, loss = int((logits.argmax(dim=1) == labels).sum()), float(module.loss(logits, labels))
            lowest, taken = min(lowest, loss), taken + 1
            bar.update()
        name = f"{type(optimizer).__name__}, lr {rate or module.hparams['lr']:g}"
        attempts.append(Attempt(name, taken, right, len(labels), lowest, rate is None))
        if attempts[-1].succeeded:
            break
    bar.close()
    return attempts


@torch.enable_grad()
def loss_of_one_answer(loss: Callable[[Tensor, Tensor], Tensor], labels: Int64[Tensor, "b"], classes: int) -> float:
    """Returns approximately the lowest loss of equal logits for all images: the best loss without seeing the images."""
    answer = torch.zeros(classes, device=labels.device, requires_grad=True)
    optimizer = Adam([answer], lr=0.1)
    for _ in range(300):
        value = loss(answer.expand(len(labels), classes), labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return value.item()


def images_to_learn(data: ImageDataModule, device: torch.device) -> Batch:
    """Returns up to 16 training images without augmentation, balanced over classes."""
    arrays = data.arrays("train")
    order = permutation(len(arrays), data.run_seed, "order", 0)
    return data.batch_maker("train", device)(order[_balanced(arrays.labels.cpu()[order], IMAGES)])


def _balanced(labels: Int64[Tensor, "n"], n: int) -> Int64[Tensor, "m"]:
    """Returns up to n positions: the first image of each class, then the second of each, and so on."""
    turn = torch.empty_like(labels)
    for label in labels.unique():
        of_it = labels == label
        turn[of_it] = torch.arange(int(of_it.sum()))
    return turn.argsort(stable=True)[:n]

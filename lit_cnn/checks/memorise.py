"""Overfit one batch: the quickest sign that a network can learn at all."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor
from torch.nn.modules.dropout import _DropoutNd
from torch.optim import Adam

from lit_cnn.checks.trial import Steps
from lit_cnn.data.module import ImageDataModule
from lit_cnn.keyed_random import permutation
from lit_cnn.training.classifier import Batch
from lit_cnn.training.optimizers import parameters_to_train

IMAGES = 16
STEPS = 30  # with the run's own optimizer
BY_HEART = 0.9  # share of correct images that is enough
# Learning rates of Adam and numbers of steps, tried if the run's own optimizer fails: deep networks without batch norm
# need a smaller rate, tiny ones a larger rate and more steps.
SUBSTITUTES = ((1e-3, 60), (1e-4, 60), (1e-2, 150))


@dataclass(frozen=True)
class Attempt:
    """Result of overfitting one batch with one optimizer.

    Attributes:
        optimizer: Its name and learning rate.
        steps: Number of steps.
        right: Number of correct images before the last step.
        images: Number of images.
        loss: The lowest loss, without auxiliary heads.
        own: Whether it is the run's own optimizer.
    """

    optimizer: str
    steps: int
    right: int
    images: int
    loss: float
    own: bool = False

    @property
    def by_heart(self) -> bool:
        """Whether nearly all images were correct."""
        return self.right >= BY_HEART * self.images


def memorise(steps: Steps, batch: Batch, advance: Callable[[], object]) -> list[Attempt]:
    """Overfits one batch, without dropout; tries several optimizers until one succeeds.

    Args:
        steps: Takes the steps; each optimizer starts from the initial weights.
        batch: Images and their classes.
        advance: Called after each step.
    """
    attempts: list[Attempt] = []
    module, labels = steps.module, batch[1]
    for substitute, at_most in ((None, STEPS), *SUBSTITUTES):
        steps.start_afresh()
        for layer in module.modules():
            if isinstance(layer, _DropoutNd):
                layer.eval()
        if substitute is None:
            optimizer = steps.optimizer
            for group in optimizer.param_groups:
                group["lr"] = group.get("initial_lr", module.hparams["lr"])  # not the start of a warm-up
        else:
            optimizer = Adam(parameters_to_train(module), lr=substitute)
        taken, right, loss, lowest = 0, 0, 0.0, math.inf
        while taken < at_most and right < BY_HEART * len(labels) and math.isfinite(loss):
            logits, _ = steps.take(batch, optimizer)
            right, loss = int((logits.argmax(dim=1) == labels).sum()), float(module.loss(logits, labels))
            lowest, taken = min(lowest, loss), taken + 1
            advance()
        name = f"{type(optimizer).__name__}, lr {substitute or module.hparams['lr']:g}"
        attempts.append(Attempt(name, taken, right, len(labels), lowest, substitute is None))
        if attempts[-1].by_heart:
            break
    return attempts


def loss_of_one_answer(loss: Callable[[Tensor, Tensor], Tensor], labels: Int64[Tensor, "b"], classes: int) -> float:
    """Returns approximately the lowest loss with the same logits for all images, the best without seeing them."""
    with torch.enable_grad():
        answer = torch.zeros(classes, device=labels.device, requires_grad=True)
        optimizer = Adam([answer], lr=0.1)
        for _ in range(300):
            value = loss(answer.expand(len(labels), classes), labels)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    return value.item()


def images_to_learn(data: ImageDataModule, device: torch.device, n: int = IMAGES) -> Batch:
    """Returns up to n training images without augmentation, balanced over classes."""
    arrays = data.arrays("train")
    order = permutation(len(arrays), data.run_seed, "order", 0)
    indices = order[_evenly(arrays.labels.cpu()[order], n)]
    return data.batch_maker("train", device)(indices)


def _evenly(labels: Int64[Tensor, "n"], n: int) -> Int64[Tensor, "m"]:
    """Returns up to n positions: the first image of each class, then the second of each, and so on."""
    turn = torch.empty_like(labels)
    for label in labels.unique():
        of_it = labels == label
        turn[of_it] = torch.arange(int(of_it.sum()))
    return turn.argsort(stable=True)[:n]

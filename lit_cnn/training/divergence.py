"""Stops a run whose loss or weights are not finite, before a checkpoint is written."""

import time
from typing import Any

import torch
from torch import Tensor

from lit_cnn.errors import DivergedError

SECONDS = 1.0  # between two checks of the losses
TOGETHER = 64  # losses per check on several devices, which have no common clock


class LossWatch:
    """Stops a training at its first loss that is not finite.

    Losses stay on the device and are read many at a time, every second and before a validation or a checkpoint. So the
    check costs a step almost nothing, and the message still names the first bad batch.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[Tensor, int, int, float]] = []  # loss, epoch, batch, learning rate
        self._next = 0.0

    def clear(self) -> None:
        """Drops the losses of an interrupted run."""
        self._waiting.clear()
        self._next = time.perf_counter() + SECONDS

    def note(self, trainer: Any, loss: Tensor, batch_idx: int) -> None:
        """Records the loss of a step, and checks the recorded losses if it is time.

        Raises:
            DivergedError: If one is not finite.
        """
        lr = trainer.optimizers[0].param_groups[0]["lr"]
        self._waiting.append((loss.detach(), trainer.current_epoch, batch_idx, lr))
        several = trainer.world_size > 1
        if len(self._waiting) >= TOGETHER if several else time.perf_counter() > self._next:
            self.check(trainer)

    def check(self, trainer: Any) -> None:
        """Checks the recorded losses.

        Raises:
            DivergedError: If one is not finite; it names epoch, batch and learning rate of the first.
        """
        if not self._waiting:
            return
        losses = torch.stack([loss for loss, *_ in self._waiting]).double()
        losses = trainer.strategy.reduce(losses, reduce_op="sum")  # all devices see a bad loss of one
        broken = losses.isfinite().logical_not().nonzero()
        if len(broken):
            first = int(broken[0])
            _, epoch, batch_idx, lr = self._waiting[first]
            raise diverged(f"The loss is {float(losses[first])}", epoch, batch_idx, lr)
        self.clear()

    def check_weights(self, trainer: Any, weights: dict[str, Tensor]) -> None:
        """Checks weights before they are saved: a step with a finite loss can still break them.

        Raises:
            DivergedError: If one is not finite.
        """
        floating = {
            name: weight for name, weight in weights.items() if weight.is_floating_point() and len(weight.shape)
        }
        finite = [weight.isfinite().all() for weight in floating.values()]
        if finite and not torch.stack(finite).all():
            name = next(name for name, good in zip(floating, finite, strict=True) if not good)
            lr = trainer.optimizers[0].param_groups[0]["lr"] if trainer.optimizers else float("nan")
            batch_idx = trainer.fit_loop.epoch_loop.batch_idx
            raise diverged(f"The weights {name} are not finite", trainer.current_epoch, batch_idx, lr)


def diverged(what: str, epoch: int, batch_idx: int, lr: float) -> DivergedError:
    """Returns the error of a diverged training; it counts epochs and batches from 1."""
    return DivergedError(
        f"{what} at batch {batch_idx + 1} of epoch {epoch + 1}, learning rate {lr:g}. Nothing of it was saved.\n"
        "Lower --model.lr, warm it up (--model.scheduler), or set --trainer.gradient_clip_val 1."
    )

"""The end of a training that has diverged, before anything of it is kept."""

import time
from typing import Any

import torch
from torch import Tensor

from lit_cnn.errors import DivergedError

SECONDS = 1.0  # between two looks at the losses
TOGETHER = 64  # losses that several devices look at together, since they have no clock in common


class LossWatch:
    """Stops a training at its first loss that is not finite.

    Losses stay on the device and are read many at a time, by the clock, and before anything is validated or saved. So
    watching costs a step next to nothing, and the batch that is named is still the first.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[Tensor, int, int, float]] = []  # loss, epoch, batch, learning rate
        self._next = 0.0

    def clear(self) -> None:
        """Forgets the losses of a run that was broken off."""
        self._waiting.clear()
        self._next = time.perf_counter() + SECONDS

    def note(self, trainer: Any, loss: Tensor, batch_idx: int) -> None:
        """Notes the loss of a step, and looks at all that wait when it is time to.

        Raises:
            DivergedError: If one is not finite.
        """
        lr = trainer.optimizers[0].param_groups[0]["lr"]
        self._waiting.append((loss.detach(), trainer.current_epoch, batch_idx, lr))
        several = trainer.world_size > 1
        if len(self._waiting) >= TOGETHER if several else time.perf_counter() > self._next:
            self.check(trainer)

    def check(self, trainer: Any) -> None:
        """Looks at the losses that wait.

        Raises:
            DivergedError: If one is not finite, with epoch, batch and learning rate of the first.
        """
        if not self._waiting:
            return
        losses = torch.stack([loss for loss, *_ in self._waiting]).double()
        losses = trainer.strategy.reduce(losses, reduce_op="sum")  # all devices see what one of them saw
        broken = losses.isfinite().logical_not().nonzero()
        if len(broken):
            first = int(broken[0])
            _, epoch, batch_idx, lr = self._waiting[first]
            raise diverged(f"The loss is {float(losses[first])}", epoch, batch_idx, lr)
        self.clear()

    def check_weights(self, trainer: Any, weights: dict[str, Tensor]) -> None:
        """Looks at weights that are about to be saved: a step can break them whose loss was finite.

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
    """Returns the error of a training that has diverged; epochs and batches count from 1 in it."""
    return DivergedError(
        f"{what} at batch {batch_idx + 1} of epoch {epoch + 1}, learning rate {lr:g}. Nothing of it was saved.\n"
        "Lower --model.lr, warm it up (--model.scheduler), or set --trainer.gradient_clip_val 1."
    )

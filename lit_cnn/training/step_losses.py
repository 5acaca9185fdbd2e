"""Losses of steps: logged every `log_every_n_steps`, and checked to be finite before a checkpoint is written."""

import time
from typing import Any

import torch
from torch import Tensor

from lit_cnn.errors import DivergedError

SECONDS = 1.0  # between two checks of the losses
TOGETHER = 64  # losses per check on several devices, which have no common clock


class StepLosses:
    """Keeps losses on the device and reads many at once: logs them, and stops a training if one is not finite.

    This costs almost nothing per step; `LightningModule.log` takes as long as several steps of a small network. Each
    loss is logged at its own step, and the message of a diverged run names the first bad batch.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Drops the losses of an interrupted run."""
        self._unlogged: dict[int, tuple[Tensor, float]] = {}  # loss and learning rate by step
        self._unchecked: list[tuple[Tensor, int, int, float]] = []  # loss, epoch, batch, learning rate
        self._next_check = time.perf_counter() + SECONDS

    def note(self, trainer: Any, loss: Tensor, batch_idx: int) -> None:
        """Records the loss of a step, and checks the recorded losses if it is time.

        Raises:
            DivergedError: If one is not finite.
        """
        loss, lr = loss.detach(), trainer.optimizers[0].param_groups[0]["lr"]
        every, step = trainer.log_every_n_steps, trainer.global_step
        if every and (step + 1) % every == 0:
            self._unlogged[step] = loss, lr
        self._unchecked.append((loss, trainer.current_epoch, batch_idx, lr))
        several = trainer.world_size > 1
        if len(self._unchecked) >= TOGETHER if several else time.perf_counter() > self._next_check:
            self.check(trainer)

    def write(self, trainer: Any) -> None:
        """Logs loss and learning rate of the steps that are to be logged."""
        if not self._unlogged:
            return
        losses = torch.stack([loss for loss, _ in self._unlogged.values()]).tolist()
        for (step, (_, lr)), loss in zip(self._unlogged.items(), losses, strict=True):
            for logger in trainer.loggers:
                logger.log_metrics({"train/loss": loss, "lr": lr, "epoch": trainer.current_epoch}, step)
        for logger in trainer.loggers:
            logger.save()
        trainer.callback_metrics.update({"train/loss": torch.tensor(losses[-1]), "lr": torch.tensor(lr)})
        self._unlogged.clear()

    def check(self, trainer: Any) -> None:
        """Checks the recorded losses.

        Raises:
            DivergedError: If one is not finite; it names epoch, batch and learning rate of the first.
        """
        if not self._unchecked:
            return
        losses = torch.stack([loss for loss, *_ in self._unchecked])
        losses = losses.to(torch.promote_types(losses.dtype, torch.float32))  # a sum over devices may exceed float16
        losses = trainer.strategy.reduce(losses, reduce_op="sum")  # so that all devices see a bad loss
        broken = losses.isfinite().logical_not().nonzero()
        if len(broken):
            first = int(broken[0])
            raise _diverged(f"The loss is {float(losses[first])}", *self._unchecked[first][1:])
        self._unchecked.clear()
        self._next_check = time.perf_counter() + SECONDS

    def check_weights(self, trainer: Any, weights: dict[str, Tensor]) -> None:
        """Checks weights before they are saved: a step with a finite loss can still break them.

        Raises:
            DivergedError: If one is not finite.
        """
        floating = {n: weight for n, weight in weights.items() if weight.is_floating_point() and weight.dim()}
        finite = [weight.isfinite().all() for weight in floating.values()]
        if finite and not torch.stack(finite).all():
            name = next(name for name, good in zip(floating, finite, strict=True) if not good)
            lr = trainer.optimizers[0].param_groups[0]["lr"] if trainer.optimizers else float("nan")
            batch_idx = trainer.fit_loop.epoch_loop.batch_idx
            raise _diverged(f"The weights {name} are not finite", trainer.current_epoch, batch_idx, lr)


def _diverged(what: str, epoch: int, batch_idx: int, lr: float) -> DivergedError:
    remedy = "Lower --model.lr, warm it up (--model.scheduler), or set --trainer.gradient_clip_val 1."
    if epoch == batch_idx == 0 and what.startswith("The loss"):  # before any step
        remedy = "The first loss does not depend on the learning rate: look at the network and at the images."
    return DivergedError(
        f"{what} at batch {batch_idx + 1} of epoch {epoch + 1}, learning rate {lr:g}. Nothing of this step was saved.\n"
        f"{remedy}"
    )

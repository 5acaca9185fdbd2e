"""Log of loss and learning rate at every `log_every_n_steps`, written in batches."""

from typing import Any

import torch
from torch import Tensor


class StepLog:
    """Records loss and learning rate at every `log_every_n_steps`, and logs them later, each at its step.

    `LightningModule.log` takes as long as several steps of a small network, logs the present step only, and reads from
    the device each time.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[Tensor, float]] = {}

    def clear(self) -> None:
        """Drops the steps of an interrupted run."""
        self._waiting.clear()

    def note(self, trainer: Any, loss: Tensor) -> None:
        """Records the present step, if it is one to log."""
        every, step = trainer.log_every_n_steps, trainer.global_step
        if every and (step + 1) % every == 0:
            self._waiting[step] = loss.detach(), trainer.optimizers[0].param_groups[0]["lr"]

    def write(self, trainer: Any) -> None:
        """Logs the recorded steps."""
        if not self._waiting:
            return
        losses = torch.stack([loss for loss, _ in self._waiting.values()]).tolist()
        for (step, (_, lr)), loss in zip(self._waiting.items(), losses, strict=True):
            for logger in trainer.loggers:
                logger.log_metrics({"train/loss": loss, "lr": lr, "epoch": trainer.current_epoch}, step)
        for logger in trainer.loggers:
            logger.save()
        trainer.callback_metrics.update({"train/loss": torch.tensor(losses[-1]), "lr": torch.tensor(lr)})
        self._waiting.clear()

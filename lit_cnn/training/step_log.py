"""Loss and learning rate of every so many steps, logged when there is time for it."""

from typing import Any

import torch
from torch import Tensor


class StepLog:
    """Notes loss and learning rate at every `log_every_n_steps`, and logs them later, each at its step.

    Not by `LightningModule.log`, which takes several steps' time of a small network, can only log the present step,
    and reads from the device each time.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[Tensor, float]] = {}

    def clear(self) -> None:
        """Forgets the steps of a run that was broken off."""
        self._waiting.clear()

    def note(self, trainer: Any, loss: Tensor) -> None:
        """Notes the present step, if it is one to log."""
        every, step = trainer.log_every_n_steps, trainer.global_step
        if every and (step + 1) % every == 0:
            self._waiting[step] = loss.detach(), trainer.optimizers[0].param_groups[0]["lr"]

    def write(self, trainer: Any) -> None:
        """Logs the steps that wait."""
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

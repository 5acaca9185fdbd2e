"""Lookahead: slow weights, to which the weights are reset every few steps."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lit_cnn.errors import ConfigError


class Lookahead(Callback):
    """Lookahead: every few steps slow weights move towards the weights, which then start again from them.

    Zhang et al. 2019, https://arxiv.org/abs/1907.08610. Differs: the slow weights move less over time, by a share of
    1 - decay * (step / steps)**3 (Jordan 2024, https://arxiv.org/abs/2404.00498, section 3.4); the running statistics
    of batch norm are reset too; and at the end of the run the slow weights are the result.

    Args:
        every: Steps between two updates.
        decay: Share of the slow weights that the last updates keep, from 0 to below 1.

    Raises:
        ConfigError: If a setting is out of range.

    Example:
        >>> import lightning.pytorch as L
        >>> trainer = L.Trainer(callbacks=[Lookahead(every=5)], accelerator="cpu", logger=False)
    """

    def __init__(self, every: int = 5, decay: float = 0.95**5):
        if every < 1:
            raise ConfigError(f"Lookahead's `every` has to be a number of steps from 1 up, but got {every}.")
        if not 0 <= decay < 1:
            raise ConfigError(f"Lookahead's `decay` has to be from 0 to below 1, but got {decay}.")
        self.every = every
        self.decay = decay
        self._slow: dict[str, Tensor] = {}
        self._steps = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._slow, self._steps = {}, 0

    def state_dict(self) -> dict[str, Any]:
        return {"slow": self._slow, "steps": self._steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._slow, self._steps = state["slow"], state["steps"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self._slow:
            self._slow = {name: weight.clone() for name, weight in _floating(pl_module).items()}
        self._slow = {name: slow.to(pl_module.device) for name, slow in self._slow.items()}
        steps = int(trainer.estimated_stepping_batches)

        def after_step(*_: Any) -> None:
            self._steps += 1
            if self._steps == steps:
                self._update(pl_module, 1.0)
            elif self._steps % self.every == 0:
                self._update(pl_module, self.decay * (self._steps / steps) ** 3)

        # A hook of the optimizer, since a hook of each batch would turn off the fast loop.
        self._handle = trainer.optimizers[0].register_step_post_hook(after_step)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._handle.remove()

    @torch.no_grad()
    def _update(self, module: LightningModule, keep: float) -> None:
        weights = list(_floating(module).values())
        slow = list(self._slow.values())
        torch._foreach_lerp_(slow, weights, 1 - keep)
        torch._foreach_copy_(weights, slow)


def _floating(module: LightningModule) -> dict[str, Tensor]:
    """Returns all weights and running statistics."""
    return {name: value for name, value in module.state_dict().items() if value.is_floating_point()}

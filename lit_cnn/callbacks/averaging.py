"""Weight averaging: an EMA that also works for short runs, and fixes for Lightning's own averages."""

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging, WeightAveraging
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from lit_cnn.training.lightning_internals import decay_of_average, drop_average

FROM_THE_START = 0.1  # warns if the first weights have more than this share of the average


class EMA(WeightAveraging):
    """Exponential moving average (EMA) of the weights, used by validation, test and checkpoints.

    The n-th average is d * average + (1 - d) * weights, with d = min(decay, (1 + n) / (10 + n)). Without this warm-up,
    as in Lightning's EMAWeightAveraging, the average over few steps is mostly the first step's weights.

    Args:
        decay: Decay of the average, from 0 to below 1. It averages over about 1 / (1 - decay) steps, so 0.999 is
            for runs of a few thousand steps.

    Raises:
        ValueError: If decay is out of range.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> trainer = Trainer(callbacks=[EMA(decay=0.99)], accelerator="cpu", logger=False)
    """

    def __init__(self, decay: float = 0.999):
        if not 0 <= decay < 1:
            raise ValueError(f"`decay` of EMA has to be from 0 to below 1, but got {decay}.")
        super().__init__(multi_avg_fn=self._average)
        self.decay = decay

    @torch.no_grad()
    def _average(self, averages: list[Tensor], weights: list[Tensor], averaged: Tensor) -> None:
        n = int(averaged)
        decay = min(self.decay, (1 + n) / (10 + n))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, weights, 1 - decay)
        else:  # number of batches of a batch norm
            torch._foreach_copy_(averages, weights)


class Averages(Callback):
    """Warns about averages that are mostly the first weights, and makes the test use a checkpoint's averages."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for callback in _averaging(trainer):
            if type(callback) is EMAWeightAveraging:
                _say_if_short(callback, trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Drops the averages, which the checkpoint has too.

        Otherwise Lightning 2.6 replaces the weights of a checkpoint that is loaded later by the unaveraged ones.
        """
        for callback in _averaging(trainer):
            drop_average(callback)


def _averaging(trainer: Trainer) -> list[WeightAveraging]:
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return [callback for callback in callbacks if isinstance(callback, WeightAveraging)]


@rank_zero_only
def _say_if_short(callback: EMAWeightAveraging, trainer: Trainer) -> None:
    decay = decay_of_average(callback)
    steps, first = trainer.estimated_stepping_batches, callback.update_starting_at_step or 0
    updates = (steps - first) / max(callback.update_every_n_steps, 1)
    share = decay ** max(updates - 1, 0)
    if share > FROM_THE_START:
        print(
            f"EMAWeightAveraging: with decay {decay:g} over {updates:,.0f} updates, {share:.0%} of the average are the "
            "initial weights.\nUse the callback EMA instead, whose decay warms up, or a smaller decay.",
            flush=True,
        )

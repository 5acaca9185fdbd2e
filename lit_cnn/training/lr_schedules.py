"""Learning-rate schedules that torch lacks: cosine with warm-up, and triangular."""

import math
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

__all__ = ["TriangularLR", "WarmupCosineLR"]
ENDS = "ends"  # key of a parameter group: the step at which its rate reaches 0, if before the end of the run


class _Schedule(LambdaLR):
    """Base of our schedules: a factor of the learning rate, from step and length; groups may have a shorter length."""

    def __init__(
        self, optimizer: Optimizer, total_steps: int, factor: Callable[[float, float], float], **shares: float
    ):
        for name, value in shares.items():
            if not 0 <= value <= 1:
                raise ValueError(f"`{name}` has to be a share from 0 to 1, but got {value}.")

        def of_group(group: dict[str, Any]) -> Callable[[int], float]:
            if ENDS not in group:
                return lambda step: factor(step, total_steps)
            ends = min(group[ENDS], total_steps)  # in a shorter run it ends with the run
            return lambda step: factor(step, ends) if step < ends else 0.0

        super().__init__(optimizer, [of_group(group) for group in optimizer.param_groups])


class WarmupCosineLR(_Schedule):
    """Cosine schedule with warm-up: a linear rise from 0 to the learning rate, then half a cosine down.

    Goyal et al. 2017, https://arxiv.org/abs/1706.02677 (the warm-up); Loshchilov & Hutter 2017,
    https://arxiv.org/abs/1608.03983 (the cosine).

    Args:
        optimizer: The optimizer whose learning rates it sets.
        total_steps: Length of the run, in steps of the schedule.
        warmup: Share of the run for the warm-up, from 0 to 1.
        end: Final value, as a share of the learning rate.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, warmup: float = 0.05, end: float = 0.0):
        def factor(step: float, total: float) -> float:
            rising = warmup * total
            if step < rising:
                return (step + 1) / (rising + 1)
            fallen = min((step - rising) / max(total - rising, 1), 1)
            return end + (1 - end) * (1 + math.cos(math.pi * fallen)) / 2

        super().__init__(optimizer, total_steps, factor, warmup=warmup, end=end)


class TriangularLR(_Schedule):
    """Triangular schedule: a linear rise to the learning rate, then a linear fall, for fast trainings.

    Smith & Topin 2018, https://arxiv.org/abs/1708.07120, with a single triangle. With the peak at 0 it is a linear
    decay from the first step on.

    Args:
        optimizer: The optimizer whose learning rates it sets.
        total_steps: Length of the run, in steps of the schedule.
        peak: Position of the peak in the run, from 0 to 1.
        start: Initial value, as a share of the learning rate.
        end: Final value, as a share of the learning rate.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, peak: float = 0.2, start: float = 0.1, end: float = 0.0):
        def factor(step: float, total: float) -> float:
            top = peak * total
            if step < top:
                return start + (1 - start) * step / top
            fallen = min((step - top) / max(total - top, 1), 1)
            return 1 - (1 - end) * fallen

        super().__init__(optimizer, total_steps, factor, peak=peak, start=start, end=end)

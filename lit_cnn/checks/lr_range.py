"""Learning-rate range test: the loss while the rate rises from step to step, and the rate that it suggests.

Smith 2017, https://arxiv.org/abs/1506.01186, section 3.3.
Differs: the rate is multiplied by a factor after each step; the paper adds a constant. As in fastai's finder, the test
suggests the rate where the smoothed loss falls fastest. If a tenth of the rate with the lowest loss is smaller, it
suggests that, since the smoothed loss lags by some steps. Only the part of the curve where the loss falls is used.
Nothing is suggested if the losses of the batches differ too much.
"""

import math
from itertools import chain, repeat
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from lit_cnn.checks.trial import Steps
from lit_cnn.errors import ConfigError
from lit_cnn.training.optimizers import build

LOWEST, HIGHEST = 1e-6, 10.0
STEPS = 120
SMOOTHING = 0.9  # share of the earlier losses in the smoothed loss
DIVERGED = 4.0  # times the lowest smoothed loss
SETTLED = 10  # first steps, in which the smoothed loss has too few batches for a slope
BEGINNING = 20  # first steps, with rates so low that the loss does not change
SPAN = 5  # steps before and after a step over which its slope is measured; 17 steps raise the rate tenfold
BEGUN = 0.2  # the loss counts as falling after this share of its whole fall
CLEAR = 6.0  # times the noise of the smoothed loss
LOOK = "Run `check` without --lr_find to find out why."


class RangeTest(NamedTuple):
    """The losses at rising rates, and what they suggest."""

    rates: Float[np.ndarray, "n"]
    losses: Float[np.ndarray, "n"]  # of each step's batch, before the step
    smoothed: Float[np.ndarray, "n"]
    fall: float  # how far the smoothed loss falls, from the untrained network to the lowest
    noise: float  # standard deviation of the losses from one batch to another
    steepest: float  # where the smoothed loss falls the fastest
    lowest: float  # the rate with the lowest smoothed loss, from which on it is too high
    diverged: bool  # whether it ended because the loss had grown

    @property
    def suggestion(self) -> float | None:
        """The rate to begin with; None if the loss does not fall by clearly more than its noise."""
        clear = self.fall > CLEAR * self.noise * math.sqrt((1 - SMOOTHING) / (1 + SMOOTHING))
        return min(self.steepest, self.lowest / 10) if clear else None


def take_range_test(steps: Steps) -> RangeTest:
    """Takes steps of a run at rising rates, until the loss diverges; afterwards the network is as it was.

    Groups of parameters keep the ratios of their rates.

    Raises:
        ConfigError: If the loss is too high or not finite within the first steps.
    """
    steps.start_afresh()
    loader: Any = steps.trainer.train_dataloader
    batches = chain.from_iterable(repeat(loader))
    module = steps.module
    without_schedule = {**module.hparams, "scheduler": None, "param_groups": module.groups}  # which sets rates
    optimizer = build(module, without_schedule)["optimizer"]
    groups = [(group, group["lr"] / module.hparams["lr"]) for group in optimizer.param_groups]
    rates, losses = np.geomspace(LOWEST, HIGHEST, STEPS), list[float]()
    best = math.inf
    for rate, batch in zip(tqdm(rates, "rates", leave=False, disable=None), batches, strict=False):
        for group, ratio in groups:
            group["lr"] = rate * ratio
        losses.append(float(steps.take(batch, optimizer)[1]))
        now = float(smooth(losses)[-1])
        best = min(best, now)
        if not math.isfinite(losses[-1]) or now > DIVERGED * best:
            break
    steps.start_afresh()
    finite = [loss for loss in losses if math.isfinite(loss)]
    return _judged(rates[: len(finite)], np.array(finite), len(losses) < STEPS)


def smooth(losses: list[float] | Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Returns the exponential moving average of losses, without the bias of its start.

    Example:
        >>> smooth([1.0, 1.0, 1.0]).round(6).tolist()
        [1.0, 1.0, 1.0]
    """
    average, found = 0.0, []
    for step, loss in enumerate(losses, 1):
        average = SMOOTHING * average + (1 - SMOOTHING) * loss
        found.append(average / (1 - SMOOTHING**step))
    return np.array(found)


def _judged(rates: np.ndarray, losses: np.ndarray, diverged: bool) -> RangeTest:
    if len(losses) < BEGINNING:
        raise ConfigError(f"--lr_find: the loss grows or is not finite after {len(losses)} steps at low rates.\n{LOOK}")
    smoothed, untrained = smooth(losses), losses[:BEGINNING].mean()
    bottom = SETTLED + int(smoothed[SETTLED:].argmin())
    fall = untrained - smoothed[bottom]
    high = np.flatnonzero(smoothed[SETTLED:bottom] >= untrained - BEGUN * fall)
    begun = SETTLED + int(high[-1]) if len(high) else SETTLED
    falling = np.arange(begun, bottom + 1)
    before, after = (falling - SPAN).clip(0), (falling + SPAN).clip(max=len(smoothed) - 1)
    steepest = begun + int(((smoothed[after] - smoothed[before]) / (after - before)).argmin())
    noise = np.diff(losses[: bottom + 1]).std() / math.sqrt(2)
    return RangeTest(
        rates, losses, smoothed, float(fall), float(noise), float(rates[steepest]), float(rates[bottom]), diverged
    )


def unclear(found: RangeTest, batch_size: int, images: int) -> ConfigError:
    """Returns the error for a range test without a suggestion, of batches of so many of the training images."""
    if found.fall <= 0 or found.lowest < found.rates[BEGINNING - 1]:
        return ConfigError(f"--lr_find: the loss falls at no rate from {LOWEST:g} to {found.rates[-1]:.2g}.\n{LOOK}")
    larger = min(4 * batch_size, images)
    take = f"Use larger batches for it, --data.batch_size {larger}, or compare" if larger > batch_size else "Compare"
    return ConfigError(
        f"--lr_find: no rate is suggested. The loss falls by {found.fall:.2g}, and differs by {found.noise:.2g} from "
        f"batch to batch, so the curve is too noisy.\n{take} a few rates with short trainings (`search`, `ablate`)."
    )


def text(found: RangeTest, lr: float, rows: int = 16) -> str:
    """Returns the curve as lines of rate, smoothed loss and a bar, and the suggested rate with the config's `lr`."""
    chosen = np.linspace(SETTLED, len(found.rates) - 1, min(rows, len(found.rates) - SETTLED)).round().astype(int)
    highest = found.smoothed[chosen].max()
    marks = {}
    if found.suggestion:
        for rate, name in ((found.steepest, "steepest"), (found.lowest, "lowest")):
            marks[int(abs(np.log(found.rates[chosen] / rate)).argmin())] = f"  <- {name}"
    lines = ["learning rate  loss"]
    for row, i in enumerate(chosen):
        bar = "#" * round(40 * found.smoothed[i] / highest)
        lines.append(f"{found.rates[i]:13.1e}  {found.smoothed[i]:.3f}  {bar}{marks.get(row, '')}")
    lines.append("")
    if found.suggestion:
        end = f"diverges at {found.rates[-1]:.1e}" if found.diverged else f"does not diverge up to {HIGHEST:g}"
        lines += [
            f"suggested  --model.lr {found.suggestion:.1e}; the loss falls the fastest at {found.steepest:.1e}, "
            f"and the config has {lr:g}",
            f"too high   from {found.lowest:.1e} on, where the loss is lowest; it {end}",
        ]
    return "\n".join(lines)

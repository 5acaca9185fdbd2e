"""Checks of the augmentations' arguments, with one wording for all."""

import math
from typing import TypeVar

Number = TypeVar("Number", int, float)
Range = tuple[float, float]
ABOVE_0 = math.ulp(0.0)


def check_number(owner: object, name: str, value: Number, what: str, low: float, high: float = math.inf) -> Number:
    """Returns a finite value from `low` to `high`; ValueError, which says `what` it should be, for others."""
    if not (low <= value <= high and math.isfinite(value)):
        raise ValueError(f"{type(owner).__name__}'s `{name}` has to be {what}, but got {value}.")
    return value


def check_probability(owner: object, p: float) -> float:
    """Returns the argument `p` if it is a probability; ValueError if it is not."""
    return check_number(owner, "p", p, "a probability from 0 to 1", 0, 1)


def check_range(
    owner: object, name: str, value: float | Range, what: str, low: float, high: float = math.inf, centre: float = 0.0
) -> Range:
    """Returns a range as its two ends, given as both, or as their distance from the centre, cut off at `low`.

    Raises ValueError if it is not between low and high, or its ends are in the wrong order; `what` describes it.
    """
    first, last = (max(low, centre - value), centre + value) if isinstance(value, (int, float)) else value
    if not (low <= first <= last <= high and math.isfinite(first) and math.isfinite(last)):
        shown = value if isinstance(value, (int, float)) else list(value)
        raise ValueError(f"{type(owner).__name__}'s `{name}` has to be {what}, but got {shown}.")
    return float(first), float(last)


def check_channels(owner: object, in_channels: int, allowed: tuple[int, ...], remedy: str = "Remove it.") -> None:
    """Raises ValueError if images do not have one of the allowed numbers of channels."""
    if in_channels not in allowed:
        needed = " or ".join(map(str, allowed))
        raise ValueError(
            f"{type(owner).__name__} needs images of {needed} channels, but these have {in_channels}. {remedy}"
        )

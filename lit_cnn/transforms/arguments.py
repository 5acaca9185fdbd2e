"""Checks of the augmentations' arguments, with one wording for all."""

import math

Range = tuple[float, float]


def check_probability(owner: object, name: str, value: float) -> float:
    """Returns the value if it is a probability.

    Raises:
        ValueError: If it is not.
    """
    if not 0 <= value <= 1:
        raise ValueError(f"{type(owner).__name__}'s `{name}` is a probability from 0 to 1, but got {value}.")
    return value


def check_number(owner: object, name: str, value: float, low: float, what: str) -> float:
    """Returns the value if it is finite and greater than `low`.

    Raises:
        ValueError: If it is not; `what` says what it should be.
    """
    if not low < value < math.inf:
        raise ValueError(f"{type(owner).__name__}'s `{name}` is {what}, but got {value}.")
    return value


def check_range(
    owner: object,
    name: str,
    value: float | Range,
    what: str,
    low: float = -math.inf,
    high: float = math.inf,
    centre: float = 0.0,
) -> Range:
    """Returns a range as its two ends.

    Args:
        owner: The augmentation.
        name: Name of the argument.
        value: The two ends; or one number, the distance of both from the centre, cut off at `low`.
        what: Description of a valid value, for the message.
        low: Smallest allowed end.
        high: Largest allowed end.
        centre: The value that changes nothing.

    Raises:
        ValueError: If it is not between low and high, or its ends are in the wrong order.
    """
    first, last = (max(low, centre - value), centre + value) if isinstance(value, (int, float)) else value
    if not (low <= first <= last <= high and math.isfinite(first) and math.isfinite(last)):
        shown = value if isinstance(value, (int, float)) else list(value)
        raise ValueError(f"{type(owner).__name__}'s `{name}` is {what}, but got {shown}.")
    return float(first), float(last)


def check_channels(owner: object, in_channels: int, allowed: tuple[int, ...], remedy: str) -> None:
    """Checks the number of channels of the images.

    Raises:
        ValueError: If it is not one of those allowed.
    """
    if in_channels not in allowed:
        needed = " or ".join(map(str, allowed))
        raise ValueError(
            f"{type(owner).__name__} needs images of {needed} channels, but these have {in_channels}. {remedy}"
        )

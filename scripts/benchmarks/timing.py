"""Timing on a busy machine: A and B alternately, many times, and the ratio of each pair."""

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any


def seconds(work: Callable[..., object], *args: Any) -> float:
    """Returns how long a piece of work takes."""
    start = perf_counter()
    work(*args)
    return perf_counter() - start


def spread(values: list[float], digits: int = 3) -> dict[str, float]:
    """Returns the median and the range of some measurements."""
    return {
        "ratio": round(median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
    }

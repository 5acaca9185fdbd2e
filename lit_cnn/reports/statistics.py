"""How sure figures are, and whether two differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import mean, stdev

from jaxtyping import Bool
from scipy import stats
from torch import Tensor

CONFIDENCE = 0.95
ROUNDING = 1e-7  # of float32, relative; one image of ten million

Interval = tuple[float, float]


def no_spread(values: Sequence[float], scale: float | None = None) -> bool:
    """Whether values are equal but for rounding, of float32 at most, so that they say nothing of how far others lie.

    Args:
        values: The values.
        scale: The largest number that they were computed from, by default of themselves.
    """
    scale = max(map(abs, values)) if scale is None else scale
    return max(values) - min(values) <= ROUNDING * scale


def mean_interval(
    values: Sequence[float], confidence: float = CONFIDENCE, within: Interval = (-inf, inf)
) -> Interval | None:
    """Returns the interval for the mean that the values were drawn around; None for fewer than two, or without spread.

    Student's t with n - 1 degrees of freedom: exact for normal values, and the usual choice for few seeds.

    Args:
        values: The values.
        confidence: How often such intervals hold the mean.
        within: The smallest and the largest mean that there can be, where the interval ends.
    """
    if len(values) < 2 or no_spread(values):
        return None
    half = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1)) * stdev(values) / sqrt(len(values))
    return max(mean(values) - half, within[0]), min(mean(values) + half, within[1])


def share_interval(right: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Returns the interval for the probability of being right, of which n images show a share.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference",
    https://doi.org/10.1080/01621459.1927.10502953. It says how far the test images determine the figure; what another
    seed would change is not in it.
    """
    found = stats.binomtest(right, n).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)


@dataclass(frozen=True)
class PairedTest:
    """Whether two variants differ, over the seeds that both have.

    Attributes:
        n: Number of seeds.
        difference: Mean of second less first.
        interval: Interval for it, 95 %; None where all differences are equal.
        p: Two-sided p-value of the paired t-test; None where all differences are equal, so that there is no spread to
            judge them by.
    """

    n: int
    difference: float
    interval: Interval | None
    p: float | None


def paired_test(
    first: Mapping[int, float], second: Mapping[int, float], within: Interval = (-inf, inf)
) -> PairedTest | None:
    """Compares two variants by the t-test over the differences of equal seeds; None for fewer than two of them.

    Args:
        first: A figure of the first variant for each seed.
        second: The same of the second.
        within: The smallest and the largest difference that there can be, where the interval ends.
    """
    differences = [second[seed] - first[seed] for seed in sorted(first.keys() & second.keys())]
    n = len(differences)
    if n < 2:
        return None
    if no_spread(differences, max(map(abs, [*first.values(), *second.values()]))):
        return PairedTest(n, mean(differences), None, None)
    interval = mean_interval(differences, within=within)
    return PairedTest(n, mean(differences), interval, float(stats.ttest_1samp(differences, 0).pvalue))


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Returns p-values corrected for their number: below 0.05 means that less than 5 % of such tables err anywhere.

    Holm 1979, "A simple sequentially rejective multiple test procedure", https://www.jstor.org/stable/4615733.
    Those that are None stay so, and are not counted.
    """
    known = sorted((p, i) for i, p in enumerate(ps) if p is not None)
    corrected: list[float | None] = [None] * len(ps)
    highest = 0.0
    for place, (p, i) in enumerate(known):
        corrected[i] = highest = max(highest, min(1.0, (len(known) - place) * p))
    return corrected


@dataclass(frozen=True)
class McNemar:
    """Whether one of two networks is right more often than the other on the same images.

    Attributes:
        only_first: Images that only the first has right.
        only_second: Images that only the second has right.
        p: Two-sided p-value of the exact test.
    """

    only_first: int
    only_second: int
    p: float


def mcnemar(first: Bool[Tensor, "n"], second: Bool[Tensor, "n"]) -> McNemar:
    """Compares two networks by the images on which one is right and the other wrong, as by tosses of a fair coin.

    McNemar 1947, "Note on the sampling error of the difference between correlated proportions or percentages",
    https://doi.org/10.1007/BF02295996, in its exact form. It judges these two networks, not their architectures:
    other seeds would give others.

    Args:
        first: Whether the first network is right, for each image.
        second: The same of the second, for the same images.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    n = only_first + only_second
    return McNemar(only_first, only_second, float(stats.binomtest(only_first, n).pvalue) if n else 1.0)


def pareto_front(costs: Sequence[float], values: Sequence[float]) -> list[int]:
    """Returns which points no other one beats: at most as dear, at least as good, and better in one of the two."""
    points = list(zip(costs, values, strict=True))
    return [
        i
        for i, (cost, value) in enumerate(points)
        if not any(c <= cost and v >= value and (c, v) != (cost, value) for c, v in points)
    ]

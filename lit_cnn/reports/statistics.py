"""Statistics: confidence intervals, paired tests, Holm correction, McNemar's test, Pareto front."""

from collections.abc import Mapping, Sequence
from math import inf
from statistics import mean
from typing import Any, NamedTuple

from jaxtyping import Bool
from scipy import stats
from torch import Tensor

CONFIDENCE = 0.95
ROUNDING = 1e-7  # relative, of float32: one image in ten million

Interval = tuple[float, float]


def no_spread(values: Sequence[float], scale: float | None = None) -> bool:
    """Whether values are equal except for the rounding of numbers up to `scale`, by default the largest value."""
    scale = max(map(abs, values)) if scale is None else scale
    return max(values) - min(values) <= ROUNDING * scale


def mean_interval(values: Sequence[float], within: Interval = (-inf, inf)) -> Interval | None:
    """Confidence interval of the mean; None for fewer than two values, or without spread.

    Student's t with n - 1 degrees of freedom, cut at `within`, the smallest and largest possible mean.
    """
    if len(values) < 2 or no_spread(values):
        return None
    found = stats.ttest_1samp(values, 0).confidence_interval(CONFIDENCE)
    return max(float(found.low), within[0]), min(float(found.high), within[1])


def percent_interval(right: int, n: int) -> str:
    """Wilson interval of an accuracy measured on n images, in percent.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference",
    https://doi.org/10.1080/01621459.1927.10502953. It includes the random choice of test images, but not of seeds.
    """
    found = stats.binomtest(right, n).proportion_ci(CONFIDENCE, method="wilson")
    return f"{found.low:.2%} to {found.high:.2%}"


class PairedTest(NamedTuple):
    """Result of a paired t-test of two variants over n common seeds, without interval and p for equal differences."""

    n: int
    difference: float  # mean of second - first
    interval: Interval | None  # 95 %
    p: float | None  # two-sided


def paired_test(
    first: Mapping[int, float], second: Mapping[int, float], within: Interval = (-inf, inf)
) -> PairedTest | None:
    """Paired t-test of a metric of two variants, over their common seeds; None if these are fewer than two.

    The interval is cut at `within`, the smallest and largest possible difference.
    """
    differences = [second[seed] - first[seed] for seed in sorted(first.keys() & second.keys())]
    n = len(differences)
    if n < 2:
        return None
    if no_spread(differences, max(map(abs, [*first.values(), *second.values()]))):
        return PairedTest(n, mean(differences), None, None)
    p = float(stats.ttest_1samp(differences, 0).pvalue)
    return PairedTest(n, mean(differences), mean_interval(differences, within), p)


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Holm correction of p-values for multiple tests: at 0.05, fewer than 5 % of such tables have any false positive.

    Holm 1979, "A simple sequentially rejective multiple test procedure", https://www.jstor.org/stable/4615733.
    None stays None, and is not counted.
    """
    known = sorted((p, i) for i, p in enumerate(ps) if p is not None)
    corrected: list[float | None] = [None] * len(ps)
    highest = 0.0
    for place, (p, i) in enumerate(known):
        corrected[i] = highest = max(highest, min(1.0, (len(known) - place) * p))
    return corrected


class McNemar(NamedTuple):
    """Result of McNemar's exact test of two networks on the same images."""

    only_first: int  # number of images that only the first network has right
    only_second: int
    p: float  # two-sided


def mcnemar(first: Bool[Tensor, "n"], second: Bool[Tensor, "n"]) -> McNemar:
    """McNemar's exact test: compares two networks by the images on which exactly one of them is right.

    McNemar 1947, "Note on the sampling error of the difference between correlated proportions or percentages",
    https://doi.org/10.1007/BF02295996. It compares these two trained networks, not their architectures.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    n = only_first + only_second
    return McNemar(only_first, only_second, float(stats.binomtest(only_first, n).pvalue) if n else 1.0)


def pareto_front(points: Mapping[Any, tuple[float, float]]) -> list[Any]:
    """Pareto front: names of the points for which no other point is better in cost or value and not worse in either."""

    def is_beaten(cost: float, value: float) -> bool:
        return any(c <= cost and v >= value and (c, v) != (cost, value) for c, v in points.values())

    return [name for name, point in points.items() if not is_beaten(*point)]

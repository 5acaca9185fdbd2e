"""The statistics of reports, against SciPy's own tests and plain enumeration."""

import random
from itertools import permutations
from math import comb, sqrt

import numpy as np
import pytest
import torch
from scipy import stats

from lit_cnn.reports.statistics import holm, mcnemar, mean_interval, paired_test, pareto_front, percent_interval

A = {0: 0.91, 1: 0.93, 2: 0.90, 5: 0.94, 7: 0.5}
B = {1: 0.95, 2: 0.91, 0: 0.95, 5: 0.93, 9: 0.1}


def test_mean_interval_is_that_of_the_t_test():
    found = stats.ttest_1samp(list(A.values()), 0).confidence_interval(0.95)
    assert mean_interval(list(A.values())) == pytest.approx((found.low, found.high))
    assert mean_interval([0.5]) is None
    assert mean_interval([0.1, 0.9], within=(0, 1)) == (0, 1)  # of two: from -4.6 to 5.6


def test_figures_without_spread_have_no_interval():
    """An interval of width 0 would claim that another seed comes to the same."""
    assert mean_interval([0.949] * 3) is None
    assert mean_interval([100 * 0.949, 94.9, 94.9]) is None  # 94.89999999999999


@pytest.mark.slow
def test_mean_interval_holds_the_mean_as_often_as_it_says():
    draws = stats.norm(3, 2).rvs((4000, 4), random_state=0)
    inside = [low <= 3 <= high for low, high in (mean_interval(list(row)) for row in draws)]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.012)


@pytest.mark.parametrize(("right", "n"), [(0, 10), (7, 10), (10, 10), (4978, 10_000)])
def test_percent_interval_is_wilsons(right, n):
    z, p = stats.norm.ppf(0.975), right / n
    middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    assert percent_interval(right, n) == f"{abs(low):.2%} to {high:.2%}"  # of 0, which is -1e-17 here


def test_paired_test_is_scipys_over_the_shared_seeds():
    found = paired_test(A, B)
    reference = stats.ttest_rel([B[s] for s in (0, 1, 2, 5)], [A[s] for s in (0, 1, 2, 5)])
    interval = reference.confidence_interval()
    assert (found.n, found.p) == (4, pytest.approx(reference.pvalue))
    assert found.interval == pytest.approx((interval.low, interval.high))
    assert found.difference == pytest.approx(np.mean([0.04, 0.02, 0.01, -0.01]))


def test_paired_test_says_where_it_is_not_defined():
    assert paired_test({0: 1.0, 1: 2.0}, {2: 1.0}) is None
    same = paired_test({0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.0})
    assert (same.n, same.difference, same.interval, same.p) == (2, 0, None, None)


@pytest.mark.parametrize("images", [7, 1000, 10_000])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_equal_differences_in_images_are_no_evidence(images, dtype):
    """Pairs that all differ by one image, whatever rounding does: their spread is 0, and so none to judge by."""
    counts = {0: images - 3, 1: images - 2, 2: images - 4}
    first = {seed: float(dtype(right / images)) for seed, right in counts.items()}
    second = {seed: float(dtype((right + 1) / images)) for seed, right in counts.items()}
    found = paired_test(first, second)
    assert (found.interval, found.p) == (None, None)
    assert found.difference == pytest.approx(1 / images, rel=1e-3)
    second[2] = float(dtype((counts[2] + 2) / images))  # one image more is a spread
    assert 0.01 < paired_test(first, second).p < 1


def test_holm_is_the_closed_procedure_of_bonferroni():
    """A hypothesis is rejected if Bonferroni rejects each intersection that holds it: Holm's shortcut."""
    generator = random.Random(0)
    for _ in range(50):
        ps = [generator.random() ** 3 for _ in range(5)]
        closed = []
        for i in range(5):
            others = [ps[:i] + ps[i + 1 :]][0]
            sets = [[others[j] for j in range(4) if mask >> j & 1] for mask in range(16)]
            closed.append(max(min(1.0, (len(s) + 1) * min([ps[i], *s])) for s in sets))
        assert holm(ps) == pytest.approx(closed)


def test_holm_does_not_depend_on_the_order_and_leaves_out_what_is_not_defined():
    ps = [0.01, 0.04, 0.03]
    for order in permutations(range(3)):
        corrected = holm([ps[i] for i in order])
        assert [corrected[order.index(i)] for i in range(3)] == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.02, None]) == [0.02, None]


@pytest.mark.parametrize(("b", "c"), [(0, 0), (3, 3), (1, 9), (12, 2), (0, 5)])
def test_mcnemar_counts_tosses_of_a_coin(b, c):
    first = torch.tensor([True] * b + [False] * c + [True] * 4 + [False] * 2)
    second = torch.tensor([False] * b + [True] * c + [True] * 4 + [False] * 2)
    found = mcnemar(first, second)
    n = b + c
    tail = sum(comb(n, i) for i in range(min(b, c) + 1)) / 2**n
    assert (found.only_first, found.only_second) == (b, c)
    assert found.p == pytest.approx(min(1.0, 2 * tail))


def test_no_point_of_the_pareto_front_is_beaten_and_every_other_is():
    generator = random.Random(1)
    for _ in range(100):
        points = [(generator.randint(1, 5), generator.randint(1, 5)) for _ in range(8)]
        front = set(pareto_front(dict(enumerate(points))))
        for i, (cost, value) in enumerate(points):
            beaten = any((c < cost and v >= value) or (c <= cost and v > value) for c, v in points)
            assert (i in front) != beaten

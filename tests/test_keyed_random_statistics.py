"""The keyed draws are as good as a generator's: even, and independent of seed, purpose, epoch and image."""

import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from lit_cnn.keyed_random import Draws, permutation, random_bits

N = 20_000
# Below the smallest p-value of hundreds of tests of sound draws. The draws are fixed: nothing is left to chance.
P = 1e-5
KEYS = list(itertools.product((0, 1, 1234), ("RandomCrop 0", "Mixup 1"), ("y", "x"), (0, 1, 99)))


def drawn(seed, purpose, what, epoch, indices=None):
    indices = torch.arange(N) if indices is None else indices
    return Draws(seed, epoch, indices, purpose).uniform(what).double().numpy()


@pytest.fixture(scope="module")
def table():
    """A row of draws for each seed, purpose, what is drawn, and epoch."""
    return np.stack([drawn(*key) for key in KEYS])


def test_each_key_draws_evenly(table):
    assert min(stats.kstest(row, "uniform").pvalue for row in table) > P
    counts = np.stack([np.bincount((row * 256).astype(int), minlength=256) for row in table])
    assert stats.chisquare(counts, axis=1).pvalue.min() > P


def test_keys_are_independent_of_each_other(table):
    correlation = np.corrcoef(table)[np.triu_indices(len(KEYS), 1)]
    assert stats.kstest(correlation * N**0.5, "norm").pvalue > P  # not one that is too large, nor too small in all
    assert abs(correlation).max() * N**0.5 < stats.norm.isf(P / 2 / len(correlation))
    for one, other in itertools.combinations(table[:8], 2):  # beyond what is linear
        counts = np.histogram2d(one, other, bins=16, range=[(0, 1), (0, 1)])[0]
        assert stats.chisquare(counts.flatten()).pvalue > P


@pytest.mark.parametrize("apart", [1, 2, 32, 128, 256, 4096])
def test_images_are_independent_of_each_other(table, apart):
    for row in table[:6]:
        counts = np.histogram2d(row[:-apart], row[apart:], bins=16, range=[(0, 1), (0, 1)])[0]
        assert stats.chisquare(counts.flatten()).pvalue > P


def test_epochs_and_seeds_of_one_image_are_even_and_independent():
    image = torch.tensor([17])
    for rows in (
        [drawn(0, "RandomCrop 0", "y", epoch, image)[0] for epoch in range(3000)],
        [drawn(seed, "RandomCrop 0", "y", 0, image)[0] for seed in range(3000)],
    ):
        row = np.array(rows)
        assert stats.kstest(row, "uniform").pvalue > P
        assert stats.pearsonr(row[:-1], row[1:]).pvalue > P


def test_every_bit_is_a_fair_coin_and_turns_with_any_bit_of_the_counter():
    counters = torch.arange(N)
    bits = random_bits(12345, counters)
    ones = torch.stack([(bits >> i) & 1 for i in range(64)]).sum(1).numpy()
    assert min(stats.binomtest(int(k), N).pvalue for k in ones) > P
    for flipped in (0, 5, 16, 40):
        turned = bits ^ random_bits(12345, counters ^ (1 << flipped))
        share = torch.stack([(turned >> i) & 1 for i in range(64)]).sum(1).numpy()
        assert min(stats.binomtest(int(k), N).pvalue for k in share) > P


def test_integers_are_even_and_both_of_a_pair_independent():
    draws = Draws(3, 1, torch.arange(N), "p")
    assert stats.chisquare(np.bincount(draws.integers("x", 0, 8).numpy())).pvalue > P
    down, right = (part.numpy() + 4 for part in draws.integer_pair("shift", 4, 4))
    assert stats.chisquare(np.bincount(down * 9 + right, minlength=81)).pvalue > P


@pytest.mark.parametrize("alpha", [0.2, 0.4, 1.0, 4.0])
def test_beta_and_normal_draws_have_their_distribution(alpha):
    draws = Draws(7, 2, torch.arange(N), "p")
    assert stats.kstest(draws.beta("share", alpha).double().numpy(), stats.beta(alpha, alpha).cdf).pvalue > P
    assert stats.kstest(draws.normals("z")[:, 0].double().numpy(), "norm").pvalue > P


def test_orders_put_every_image_anywhere_and_forget_the_epoch_before():
    orders = np.stack([permutation(12, seed, "order", epoch).numpy() for seed in range(40) for epoch in range(150)])
    for place in range(12):
        assert stats.chisquare(np.bincount(orders[:, place], minlength=12)).pvalue > P
    pairs = np.bincount(orders[:-1, 0] * 12 + orders[1:, 0], minlength=144)
    assert stats.chisquare(pairs).pvalue > P
    neighbours = orders[:, 0] * 12 + orders[:, 1]
    assert stats.chisquare(np.bincount(neighbours, minlength=144)[~np.eye(12, dtype=bool).flatten()]).pvalue > P

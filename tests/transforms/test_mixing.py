from dataclasses import replace

import pytest
import torch
from scipy import stats

from lit_cnn.keyed_random import Draws
from lit_cnn.transforms import Augmentation, CutMix, Mixup, Stage


@pytest.fixture
def pair():
    images = torch.randn(40, 3, 14, 11).contiguous(memory_format=torch.channels_last)
    return images, torch.randn(40, 3, 14, 11).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.5, 1.0, 4.0])
def test_beta_draws_are_scipys(alpha):
    draws = Draws(0, 0, torch.arange(20_000)).beta("share", alpha)
    assert ((draws >= 0) & (draws <= 1)).all()
    # Very small shares round to 0 in float32, where the distribution is not stepped: compare from 1e-7 on.
    inner = draws.double().clamp(1e-7, 1 - 1e-7).numpy()
    reference = stats.beta(alpha, alpha)
    grid = [0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999]
    for x in grid:
        p = reference.cdf(x)
        assert abs((inner <= x).mean() - p) < 4 * (p * (1 - p) / 20_000) ** 0.5
    if alpha >= 0.5:
        assert stats.kstest(inner, reference.cdf).pvalue > 0.001


def test_mixup_equals_a_loop(pair, draws):
    images, partners = pair
    mixed, share = Mixup(0.4)(images, partners, draws)
    assert torch.equal(share, draws.beta("share", 0.4))
    for n in range(40):
        expected = share[n] * images[n] + (1 - share[n]) * partners[n]
        torch.testing.assert_close(mixed[n], expected, rtol=1e-5, atol=1e-6)


def test_cutmix_equals_a_loop(pair, draws):
    images, partners = pair
    mixed, share = CutMix(1.0)(images, partners, draws)
    side = torch.sqrt(1 - draws.beta("share", 1.0))
    ys, xs = draws.integers("y", 0, 13).tolist(), draws.integers("x", 0, 10).tolist()
    for n in range(40):
        height, width = int(side[n] * 14), int(side[n] * 11)
        expected, inside = images[n].clone(), 0
        for y in range(ys[n] - height // 2, ys[n] - height // 2 + height):
            for x in range(xs[n] - width // 2, xs[n] - width // 2 + width):
                if 0 <= y < 14 and 0 <= x < 11:
                    expected[:, y, x] = partners[n][:, y, x]
                    inside += 1
        assert torch.equal(mixed[n], expected)
        assert share[n] == pytest.approx(1 - inside / (14 * 11), abs=1e-6)
    assert len(share.unique()) > 20


@pytest.mark.parametrize("mixing", [Mixup(0.7), CutMix(0.7)])
def test_mixing_does_not_depend_on_batch_or_memory_order(pair, draws, mixing):
    images, partners = pair
    assert isinstance(mixing, Augmentation)  # a config lists it among the others
    assert mixing.stage == max(Stage)
    before = images.clone(), partners.clone()
    mixed, share = mixing(images, partners, draws)
    assert torch.equal(images, before[0])
    assert torch.equal(partners, before[1])
    assert mixed.is_contiguous(memory_format=torch.channels_last)
    assert share.shape == (40,)
    plain, same = mixing(images.contiguous(), partners.contiguous(), draws)
    assert torch.equal(plain, mixed)
    assert torch.equal(same, share)
    some = torch.tensor([31, 4, 17])
    few, shares = mixing(images[some], partners[some], replace(draws, indices=draws.indices[some]))
    torch.testing.assert_close(few, mixed[some])
    assert torch.equal(shares, share[some])
    half, _ = mixing(images.bfloat16(), partners.bfloat16(), draws)
    assert half.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: Mixup(0), "Mixup's `alpha` has to be a number above 0, but got 0"),
        (lambda: CutMix(-1.0), "CutMix's `alpha` has to be a number above 0, but got -1.0"),
        (lambda: CutMix(float("nan")), "but got nan"),
    ],
)
def test_mixing_refuses(build, match):
    with pytest.raises(ValueError, match=match):
        build()

import math

import pytest
import torch
from conftest import assert_like_an_augmentation

from lit_cnn.keyed_random import Draws
from lit_cnn.transforms import Cutout, RandomErasing, Stage


@pytest.mark.parametrize("fill", ["mean", "black", "noise"])
@pytest.mark.parametrize("size", [1, 4, 5])
def test_cutout_equals_a_loop(colours, draws, fill, size):
    cutout = Cutout(size, fill)
    cutout.learn(colours)
    out = cutout(colours, draws)
    ys, xs = draws.integers("y", 0, 13).tolist(), draws.integers("x", 0, 10).tolist()
    noise = draws.bytes("noise", 14 * 11 * 3).view(40, 14, 11, 3).permute(0, 3, 1, 2)
    mean = colours.double().mean((0, 2, 3)).round().byte()
    for n in range(40):
        expected = colours[n].clone()
        for y in range(ys[n] - size // 2, ys[n] - size // 2 + size):
            for x in range(xs[n] - size // 2, xs[n] - size // 2 + size):
                if 0 <= y < 14 and 0 <= x < 11:
                    shown = {"mean": mean, "black": torch.zeros(3), "noise": noise[n, :, y, x]}
                    expected[:, y, x] = shown[fill]
        assert torch.equal(out[n], expected)


@pytest.mark.parametrize("fill", ["mean", "black", "noise"])
def test_erasing_is_an_augmentation(colours, draws, fill):
    for augmentation in (Cutout(6, fill), RandomErasing(0.9, fill=fill)):
        assert augmentation.stage == Stage.ERASING
        augmentation.learn(colours)
        assert_like_an_augmentation(augmentation, colours, draws)
        assert_like_an_augmentation(augmentation, colours[:, 1:2], draws) if fill != "mean" else None


def test_random_erasing_hides_boxes_of_the_drawn_area_and_shape():
    n, h, w = 4000, 48, 40
    white = torch.full((n, 1, h, w), 255, dtype=torch.uint8)
    draws = Draws(0, 0, torch.arange(n))
    erasing = RandomErasing(0.6, (0.05, 0.3), (0.5, 3.0), "black")
    erasing.check((h, w), 1)
    hidden = erasing(white, draws)[:, 0] == 0
    changed = hidden.flatten(1).any(1)
    assert torch.equal(changed, draws.uniform("coin") < 0.6)
    assert abs(changed.float().mean() - 0.6) < 4 * math.sqrt(0.24 / n)
    height, width = hidden.any(2).sum(1)[changed], hidden.any(1).sum(1)[changed]
    area = hidden.sum((1, 2))[changed]
    assert torch.equal(height * width, area)  # one box each, and all of it inside
    share, aspect = area / (h * w), height / width
    assert ((share > 0.04) & (share < 0.315)).all()
    assert ((aspect > 0.4) & (aspect < 3.6)).all()  # sides are whole pixels
    assert abs(share.mean() - 0.175) < 0.006  # even from 0.05 to 0.3
    assert abs(aspect.log().mean() - math.log(0.5 * 3.0) / 2) < 0.05  # even on a logarithmic scale
    top, left = hidden.any(2).int().argmax(1)[changed], hidden.any(1).int().argmax(1)[changed]
    assert top.min() == 0
    assert (top + height).max() == h
    assert abs((top / (h - height).clamp(min=1)).mean() - 0.5) < 0.03
    assert abs((left / (w - width).clamp(min=1)).mean() - 0.5) < 0.03


def test_random_erasing_keeps_the_area_where_only_some_shapes_fit():
    draws = Draws(0, 0, torch.arange(500))
    erasing = RandomErasing(1.0, (0.8, 0.8), (0.1, 10.0), "black")
    hidden = erasing(torch.full((500, 1, 20, 20), 9, dtype=torch.uint8), draws) == 0
    assert ((hidden.float().mean((1, 2, 3)) - 0.8).abs() < 0.06).all()


def test_random_erasing_never_and_always(colours, draws):
    assert torch.equal(RandomErasing(0)(colours, draws), colours)
    assert (RandomErasing(1)(colours, draws) != colours).flatten(1).any(1).all()


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: Cutout(0), "Cutout's `size` has to be a number of pixels from 1 up, but got 0"),
        (lambda: Cutout(-8), "but got -8"),
        (lambda: Cutout(8, "grey"), "Cutout's `fill` has to be one of 'mean', 'black', 'noise', but got 'grey'"),
        (lambda: Cutout(28).check((28, 32), 1), "`size` of 28 could hide the whole image of 28 x 32 .* less than 28"),
        (lambda: RandomErasing(1.1), "RandomErasing's `p` has to be a probability from 0 to 1, but got 1.1"),
        (
            lambda: RandomErasing(area=(0.2, 1.2)),
            r"`area` has to be a range of shares from 0 to 1, but got \[0.2, 1.2\]",
        ),
        (lambda: RandomErasing(aspect=(0, 1)), r"`aspect` has to be a range of ratios above 0, but got \[0, 1\]"),
        (
            lambda: RandomErasing(area=(0.1, 0.9), aspect=(2, 3)).check((32, 32), 3),
            "`area` of up to 0.9 does not fit into images of 32 x 32 pixels with an `aspect` from 2.0 to 3.0",
        ),
    ],
)
def test_erasing_refuses(build, match):
    with pytest.raises(ValueError, match=match):
        build()

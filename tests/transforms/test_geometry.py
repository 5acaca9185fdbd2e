import math

import pytest
import torch
import torchvision.transforms.functional as F
from conftest import assert_like_an_augmentation, assert_within_a_level
from torchvision.transforms import InterpolationMode

from lit_cnn.transforms import RandomAffine, RandomRotation
from lit_cnn.transforms.geometry import warp
from lit_cnn.transforms.pixels import scaled


def warp_in_a_loop(image, matrix):
    """One bilinear warp in Python's own numbers."""
    c, h, w = image.shape
    image, (first, second) = image.tolist(), matrix.tolist()
    out = torch.zeros(c, h, w)
    for y in range(h):
        for x in range(w):
            place = (x - (w - 1) / 2, y - (h - 1) / 2, 1)
            from_x = sum(m * p for m, p in zip(first, place, strict=True)) + (w - 1) / 2
            from_y = sum(m * p for m, p in zip(second, place, strict=True)) + (h - 1) / 2
            left, top = math.floor(from_x), math.floor(from_y)
            for yy, xx in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
                if 0 <= yy < h and 0 <= xx < w:
                    weight = (1 - abs(from_x - xx)) * (1 - abs(from_y - yy))
                    for channel in range(c):
                        out[channel, y, x] += weight * image[channel][yy][xx]
    return out.round().byte()


@pytest.mark.parametrize("channels", [1, 3])
def test_warp_equals_a_loop(colours, channels):
    images = colours[:6, :channels]
    matrix = torch.eye(2, 3) + torch.randn(6, 2, 3) * torch.tensor([0.4, 0.4, 2.0])
    expected = torch.stack([warp_in_a_loop(i, m) for i, m in zip(images, matrix, strict=True)])
    assert_within_a_level(warp(images, matrix), expected, same=0.98)  # halves may round either way


@pytest.mark.parametrize("kind", ["RandomRotation", "RandomAffine"])
def test_geometry_is_an_augmentation(colours, draws, kind):
    augmentation = {
        "RandomRotation": RandomRotation(30),
        "RandomAffine": RandomAffine(20, (0.1, 0.2), (0.8, 1.2), 10),
    }[kind]
    assert_like_an_augmentation(augmentation, colours, draws)


def test_random_rotation_rotates_as_torchvision_does(colours, draws):
    out = RandomRotation((-10, 80))(colours, draws)
    angles = scaled(draws, angle=(-10, 80))["angle"].tolist()
    bilinear = InterpolationMode.BILINEAR
    expected = torch.stack([F.rotate(i, a, bilinear) for i, a in zip(colours, angles, strict=True)])
    assert_within_a_level(out, expected, same=0.95)
    assert min(angles) < 0
    assert max(angles) > 70


def test_random_affine_maps_as_torchvision_does(colours, draws):
    out = RandomAffine(25, (0.2, 0.1), (0.7, 1.3), (-20, 30))(colours, draws)
    h, w = colours.shape[-2:]
    moves = {"right": (-0.2 * w, 0.2 * w), "down": (-0.1 * h, 0.1 * h)}
    drawn = scaled(draws, angle=(-25, 25), scale=(0.7, 1.3), shear=(-20, 30), **moves)
    angle, factor, shear, right, down = drawn.values()
    expected = torch.stack(
        [
            F.affine(
                colours[i], float(angle[i]), [float(right[i]), float(down[i])], float(factor[i]),
                [float(shear[i]), 0.0], InterpolationMode.BILINEAR,
            )
            for i in range(len(colours))
        ]
    )  # fmt: skip
    assert_within_a_level(out, expected, same=0.95)


def test_geometry_that_does_nothing_changes_nothing(colours, draws):
    assert torch.equal(RandomRotation(0)(colours, draws), colours)
    assert torch.equal(RandomAffine()(colours, draws), colours)


def test_whole_moves_are_exact(colours, draws):
    matrix = torch.eye(2, 3).repeat(len(colours), 1, 1)
    matrix[:, 0, 2], matrix[:, 1, 2] = -2, 1  # from the left by 2, up by 1
    moved = warp(colours, matrix)
    assert torch.equal(moved[:, :, :-1, 2:], colours[:, :, 1:, :-2])
    assert not moved[:, :, -1].any()
    assert not moved[:, :, :, :2].any()


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (
            lambda: RandomRotation(-5),
            "RandomRotation's `degrees` has to be an angle from 0 to 180 degrees.* but got -5",
        ),
        (lambda: RandomRotation(181), "but got 181"),
        (lambda: RandomRotation((20, 10)), r"but got \[20, 10\]"),
        (
            lambda: RandomAffine(translate=(0.1, 1.5)),
            r"`translate` has to be two shares .* below 1, but got \[0.1, 1.5\]",
        ),
        (
            lambda: RandomAffine(scale=(0.0, 1.0)),
            r"RandomAffine's `scale` has to be a range of factors above 0, but got \[0.0",
        ),
        (lambda: RandomAffine(shear=90), "`shear` has to be an angle from 0 to below 90 degrees.* but got 90"),
    ],
)
def test_geometry_refuses(build, match):
    with pytest.raises(ValueError, match=match):
        build()

import math

import pytest
import torch
import torchvision.transforms.functional as F
from conftest import assert_like_an_augmentation, assert_within_a_level
from torchvision.transforms import RandAugment as TheirRandAugment
from torchvision.transforms import TrivialAugmentWide

from lit_cnn.transforms import RandAugment, Stage, TrivialAugment
from lit_cnn.transforms import operations as op
from lit_cnn.transforms.draws import Draws
from lit_cnn.transforms.policies import STRONGEST

# torchvision's functional on one image, by the name of our operation.
THEIRS = {
    "identity": lambda i, s: i,
    "shear_x": lambda i, s: F.affine(i, 0.0, [0, 0], 1.0, [math.degrees(math.atan(s)), 0.0], center=[0, 0]),
    "shear_y": lambda i, s: F.affine(i, 0.0, [0, 0], 1.0, [0.0, math.degrees(math.atan(s))], center=[0, 0]),
    "translate_x": lambda i, s: F.affine(i, 0.0, [int(s), 0], 1.0, [0.0, 0.0]),
    "translate_y": lambda i, s: F.affine(i, 0.0, [0, int(s)], 1.0, [0.0, 0.0]),
    "rotate": F.rotate,
    "brightness": lambda i, s: F.adjust_brightness(i, 1 + s),
    "color": lambda i, s: F.adjust_saturation(i, 1 + s),
    "contrast": lambda i, s: F.adjust_contrast(i, 1 + s),
    "sharpness": lambda i, s: F.adjust_sharpness(i, 1 + s),
    "posterize": lambda i, s: F.posterize(i, 8 - round(s)),
    "solarize": lambda i, s: F.solarize(i, 255 - s),
    "autocontrast": lambda i, s: F.autocontrast(i),
    "equalize": lambda i, s: F.equalize(i),
}
EXACT = {"identity", "translate_x", "translate_y", "posterize", "solarize", "equalize"}
NEAREST = {"shear_x", "shear_y", "rotate"}  # where a place lies half-way between two pixels, either may be taken
STRENGTHS = {
    **{name: torch.linspace(-0.9, 0.9, 40) for name in ("brightness", "color", "contrast", "sharpness")},
    **{name: torch.linspace(-0.97, 0.93, 40) for name in ("shear_x", "shear_y")},
    **{name: torch.linspace(-12, 12, 40) for name in ("translate_x", "translate_y")},
    "rotate": torch.linspace(-134, 133, 40),
    "posterize": torch.linspace(0, 6, 40).round(),
    "solarize": torch.linspace(0, 255, 40),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", THEIRS)
def test_operation_is_torchvisions(colours, channels, name):
    """Exact, but at ties of the nearest pixel, and where torchvision rounds down and ours to the nearest grey level."""
    images = colours[:, :channels]
    strengths = STRENGTHS.get(name, torch.zeros(40))
    out = getattr(op, name.upper())(images, strengths)
    expected = torch.stack([THEIRS[name](i, s) for i, s in zip(images, strengths.tolist(), strict=True)])
    if name in EXACT:
        assert torch.equal(out, expected)
    elif name in NEAREST:
        assert (out != expected).any(1).float().mean() < 0.002
    else:
        apart = (out.int() - expected.int()).abs()
        assert apart.max() <= (2 if name == "color" else 1)  # its grey is rounded down before it is mixed in
        on_floats = torch.stack([THEIRS[name](i / 255, s) for i, s in zip(images, strengths.tolist(), strict=True)])
        assert_within_a_level(out, (on_floats * 255).round(), same=0.99)


def spaces():
    """Ours and torchvision's operations by name, of both policies, on images of 32 x 32."""
    theirs = TheirRandAugment()._augmentation_space(31, (32, 32)), TrivialAugmentWide()._augmentation_space(31)
    for policy, space in zip((RandAugment, TrivialAugment), theirs, strict=True):
        yield {choice.operation.name: choice for choice in policy.choices}, space


@pytest.mark.parametrize("magnitude", [0, 9, 14, 30])
def test_operations_and_ranges_are_torchvisions(magnitude):
    for ours, theirs in spaces():
        assert set(ours) == set(theirs)
        for name, (values, signed) in theirs.items():
            one = ours[name]
            assert one.signed == signed
            strength = magnitude / STRONGEST * one.strongest * (32 if one.share_of else 1)
            value = float(values[magnitude]) if values.ndim else 0.0
            if name == "Posterize":
                assert 8 - round(strength) == value
            elif name == "Solarize":
                assert 255 - strength == pytest.approx(value, abs=1e-4)
            else:
                assert strength == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("policy", [RandAugment(2, 15), TrivialAugment()])
def test_policy_is_an_augmentation(colours, draws, policy, channels):
    assert policy.stage == Stage.POLICY
    policy.check((14, 11), channels)
    assert_like_an_augmentation(policy, colours[:, :channels], draws)


def test_rand_augment_equals_a_loop_over_images(colours, draws):
    out = RandAugment(3, 20)(colours, draws)
    for n in range(40):
        one = Draws(0, 0, draws.indices[n : n + 1], "test")
        expected = colours[n : n + 1]
        for turn in range(3):
            choice = RandAugment.choices[int(one.integers(f"operation {turn}", 0, 13))]
            strength = torch.tensor([20.0]) / 30 * (choice.strongest * {None: 1, -1: 11, -2: 14}[choice.share_of])
            if choice.signed and one.uniform(f"coin {turn}") < 0.5:
                strength = -strength
            expected = choice.operation(expected, strength)
        assert torch.equal(out[n : n + 1], expected)


def test_trivial_augment_equals_a_loop_over_images(colours, draws):
    out = TrivialAugment()(colours, draws)
    for n in range(40):
        one = Draws(0, 0, draws.indices[n : n + 1], "test")
        choice = TrivialAugment.choices[int(one.integers("operation", 0, 13))]
        strength = one.integers("magnitude", 0, 30) / 30 * choice.strongest
        if choice.signed and one.uniform("coin") < 0.5:
            strength = -strength
        assert torch.equal(out[n : n + 1], choice.operation(colours[n : n + 1], strength))


def test_all_operations_are_drawn_alike():
    choices = Draws(0, 0, torch.arange(14_000)).integers("operation", 0, 13)
    counts = choices.bincount(minlength=14)
    assert (((counts - 1000) ** 2) / 1000).sum() < 34.5  # chi-square with 13 degrees of freedom, p = 0.001


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: RandAugment(0), "RandAugment's `num_ops` is a number of operations from 1 up, but got 0"),
        (lambda: RandAugment(magnitude=31), "RandAugment's `magnitude` is a number from 0 to 30, but got 31"),
        (lambda: RandAugment().check((32, 32), 2), "RandAugment needs images of 1 or 3 channels, but these have 2"),
        (lambda: TrivialAugment().check((2, 9), 1), "at least 3 x 3 pixels, but these have 2 x 9"),
    ],
)
def test_policies_refuse(build, match):
    with pytest.raises(ValueError, match=match):
        build()

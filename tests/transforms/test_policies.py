import math

import pytest
import torch
import torchvision.transforms.functional as F
from conftest import assert_like_an_augmentation, assert_within_a_level
from torchvision.transforms import RandAugment as TheirRandAugment
from torchvision.transforms import TrivialAugmentWide

from lit_cnn.keyed_random import Draws
from lit_cnn.transforms import RandAugment, Stage, TrivialAugment
from lit_cnn.transforms.operations import NAMES, OPERATIONS, apply
from lit_cnn.transforms.policies import SIGNED, STRONGEST

# torchvision's functional on one image, by the name of our operation.
THEIRS = {
    "Identity": lambda i, s: i,
    "ShearX": lambda i, s: F.affine(i, 0.0, [0, 0], 1.0, [math.degrees(math.atan(s)), 0.0], center=[0, 0]),
    "ShearY": lambda i, s: F.affine(i, 0.0, [0, 0], 1.0, [0.0, math.degrees(math.atan(s))], center=[0, 0]),
    "TranslateX": lambda i, s: F.affine(i, 0.0, [int(s), 0], 1.0, [0.0, 0.0]),
    "TranslateY": lambda i, s: F.affine(i, 0.0, [0, int(s)], 1.0, [0.0, 0.0]),
    "Rotate": F.rotate,
    "Brightness": lambda i, s: F.adjust_brightness(i, 1 + s),
    "Color": lambda i, s: F.adjust_saturation(i, 1 + s),
    "Contrast": lambda i, s: F.adjust_contrast(i, 1 + s),
    "Sharpness": lambda i, s: F.adjust_sharpness(i, 1 + s),
    "Posterize": lambda i, s: F.posterize(i, 8 - round(s)),
    "Solarize": lambda i, s: F.solarize(i, 255 - s),
    "AutoContrast": lambda i, s: F.autocontrast(i),
    "Equalize": lambda i, s: F.equalize(i),
}
EXACT = {"Identity", "TranslateX", "TranslateY", "Posterize", "Solarize", "Equalize"}
NEAREST = {"ShearX", "ShearY", "Rotate"}  # where a place lies half-way between two pixels, either may be taken
STRENGTHS = {
    **{name: torch.linspace(-0.9, 0.9, 40) for name in ("Brightness", "Color", "Contrast", "Sharpness")},
    **{name: torch.linspace(-0.97, 0.93, 40) for name in ("ShearX", "ShearY")},
    **{name: torch.linspace(-12, 12, 40) for name in ("TranslateX", "TranslateY")},
    "Rotate": torch.linspace(-134, 133, 40),
    "Posterize": torch.linspace(0, 6, 40).round(),
    "Solarize": torch.linspace(0, 255, 40),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", THEIRS)
def test_operation_is_torchvisions(colours, channels, name):
    """Exact, but at ties of the nearest pixel, and where torchvision rounds down and ours to the nearest grey level."""
    images = colours[:, :channels]
    strengths = STRENGTHS.get(name, torch.zeros(40))
    out = apply(images, torch.full((40,), NAMES.index(name)), strengths)
    expected = torch.stack([THEIRS[name](i, s) for i, s in zip(images, strengths.tolist(), strict=True)])
    if name in EXACT:
        assert torch.equal(out, expected)
    elif name in NEAREST:
        assert (out != expected).any(1).float().mean() < 0.002
    else:
        apart = (out.int() - expected.int()).abs()
        assert apart.max() <= (2 if name == "Color" else 1)  # its grey is rounded down before it is mixed in
        on_floats = torch.stack([THEIRS[name](i / 255, s) for i, s in zip(images, strengths.tolist(), strict=True)])
        assert_within_a_level(out, (on_floats * 255).round(), same=0.99)


@pytest.mark.parametrize("magnitude", [0, 9, 14, 30])
def test_operations_and_ranges_are_torchvisions(magnitude):
    spaces = TheirRandAugment()._augmentation_space(31, (48, 32)), TrivialAugmentWide()._augmentation_space(31)
    for policy, theirs in zip((RandAugment, TrivialAugment), spaces, strict=True):
        assert set(NAMES) == set(theirs)
        for name, strongest in zip(NAMES, policy.strongest(48, 32), strict=True):
            values, signed = theirs[name]
            assert (name in SIGNED) == signed
            strength = magnitude / STRONGEST * strongest
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


def one_operation(policy, image, choice, magnitude, backwards):
    """A policy's operation on one image."""
    name = NAMES[choice]
    function, names = next((function, names) for function, names in OPERATIONS.items() if name in names)
    strength = torch.tensor(float(policy.strongest(14, 11)[choice])) * (magnitude / 30)
    columns = torch.zeros(1, len(names))
    columns[0, names.index(name)] = -strength if backwards and name in SIGNED else strength
    return function(image, columns)


def test_rand_augment_equals_a_loop_over_images(colours, draws):
    out = RandAugment(3, 20)(colours, draws)
    for n in range(40):
        one = Draws(0, 0, draws.indices[n : n + 1], "test")
        expected = colours[n : n + 1]
        for turn in range(3):
            choice = int(one.integers(f"operation {turn}", 0, 13))
            expected = one_operation(RandAugment, expected, choice, 20, one.uniform(f"coin {turn}") < 0.5)
        assert torch.equal(out[n : n + 1], expected)


def test_trivial_augment_equals_a_loop_over_images(colours, draws):
    out = TrivialAugment()(colours, draws)
    for n in range(40):
        one = Draws(0, 0, draws.indices[n : n + 1], "test")
        choice, magnitude = int(one.integers("operation", 0, 13)), int(one.integers("magnitude", 0, 30))
        expected = one_operation(TrivialAugment, colours[n : n + 1], choice, magnitude, one.uniform("coin") < 0.5)
        assert torch.equal(out[n : n + 1], expected)


def test_all_operations_are_drawn_alike():
    choices = Draws(0, 0, torch.arange(14_000)).integers("operation", 0, 13)
    counts = choices.bincount(minlength=14)
    assert (((counts - 1000) ** 2) / 1000).sum() < 34.5  # chi-square with 13 degrees of freedom, p = 0.001


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: RandAugment(0), "RandAugment's `num_ops` has to be a number of operations from 1 up, but got 0"),
        (lambda: RandAugment(magnitude=31), "RandAugment's `magnitude` has to be a number from 0 to 30, but got 31"),
        (lambda: RandAugment().check((32, 32), 2), "RandAugment needs images of 1 or 3 channels, but these have 2"),
        (lambda: TrivialAugment().check((2, 9), 1), "at least 3 x 3 pixels, but these have 2 x 9"),
    ],
)
def test_policies_refuse(build, match):
    with pytest.raises(ValueError, match=match):
        build()

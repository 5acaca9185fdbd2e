import numpy as np
import pytest
import torch
import torchvision.transforms.functional as F
from conftest import assert_like_an_augmentation, assert_within_a_level

from lit_cnn.transforms import ColorJitter, PCANoise, RandomGrayscale, Stage
from lit_cnn.transforms.colour import recolour
from lit_cnn.transforms.pixels import moments, scaled

FACTORS = torch.linspace(0, 2, 40)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("what", ["brightness", "contrast", "saturation"])
def test_one_factor_is_torchvisions(colours, channels, what):
    """torchvision on floats, since on bytes it rounds down, and the grey in between too."""
    if channels == 1 and what == "saturation":
        return
    images = colours[:, :channels]
    adjust = getattr(F, f"adjust_{what}")
    expected = torch.stack([adjust(i / 255, float(f)) * 255 for i, f in zip(images, FACTORS, strict=True)])
    assert_within_a_level(recolour(images, **{what: FACTORS}), expected.round(), same=0.99)


def in_a_loop(pixels, brightness, contrast, saturation, hue):
    """The same as a person would write it, pixel by pixel, with one cut at the end; hue as an angle in YIQ."""
    luma = np.array([0.299, 0.587, 0.114])
    grey_of_all = np.mean([pixel @ luma for pixel in pixels]) * brightness
    out = []
    for r, g, b in pixels * brightness:
        y = 0.299 * r + 0.587 * g + 0.114 * b
        i = 0.5959 * r - 0.2746 * g - 0.3213 * b
        q = 0.2115 * r - 0.5227 * g + 0.3112 * b
        chroma = (i + 1j * q) * saturation * np.exp(-2j * np.pi * hue)
        pixel = np.linalg.solve(
            [luma, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]], [y, chroma.real, chroma.imag]
        )
        out.append(grey_of_all + contrast * (pixel - grey_of_all))
    return np.clip(np.round(out), 0, 255)


def test_color_jitter_equals_a_loop_over_pixels(colours, draws):
    out = ColorJitter(0.4, 0.5, (0.2, 1.7), 0.3)(colours, draws)
    ends = {"brightness": (0.6, 1.4), "contrast": (0.5, 1.5), "saturation": (0.2, 1.7), "hue": (-0.3, 0.3)}
    factors = {name: drawn.tolist() for name, drawn in scaled(draws, **ends).items()}
    for n in range(0, 40, 3):
        pixels = colours[n].permute(1, 2, 0).reshape(-1, 3).double().numpy()
        expected = in_a_loop(pixels, **{name: values[n] for name, values in factors.items()})
        expected = torch.tensor(expected).view(14, 11, 3).permute(2, 0, 1)
        assert_within_a_level(out[n], expected, same=0.99)


def test_the_order_of_the_factors_makes_no_difference(colours):
    mild = (colours // 4 + 96).contiguous(memory_format=torch.channels_last)  # nothing is cut at 0 or 255
    factor = torch.full((40,), 1.2)
    turn = torch.full((40,), 0.05)
    once = recolour(mild, factor, factor, factor, turn)
    backwards = mild
    for name in ("hue", "saturation", "contrast", "brightness"):
        backwards = recolour(backwards, **{name: turn if name == "hue" else factor})
    assert (once.int() - backwards.int()).abs().max() <= 3  # four roundings, each grown by the factors after it


def test_hue_turns_red_towards_yellow_as_torchvision_does():
    red = torch.tensor([160, 40, 40], dtype=torch.uint8).view(1, 3, 1, 1)
    for turn in (0.1, -0.1, 0.3):
        ours = recolour(red, hue=torch.tensor([turn])).flatten().argsort().tolist()
        assert ours == F.adjust_hue(red, turn).flatten().argsort().tolist()


def test_color_jitter_on_greyscale(colours, draws):
    grey = colours[:, :1]
    jitter = ColorJitter(0.3, 0.3)
    jitter.check((14, 11), 1)
    out = jitter(grey, draws)
    assert out.shape == grey.shape
    expected = torch.stack(
        [
            F.adjust_brightness(F.adjust_contrast(image.float() / 255, float(c)), float(b)) * 255
            for image, b, c in zip(
                grey // 2 + 50, *scaled(draws, brightness=(0.7, 1.3), contrast=(0.7, 1.3)).values(), strict=True
            )
        ]
    )
    assert_within_a_level(jitter(grey // 2 + 50, draws), expected.round(), same=0.99)


def test_colour_augmentations_are_augmentations(colours, draws):
    noise = PCANoise(0.5)
    noise.learn(colours)
    for augmentation in (ColorJitter(0.4, 0.4, 0.4, 0.1), noise):
        assert augmentation.stage == Stage.COLOUR
        assert_like_an_augmentation(augmentation, colours, draws)
    assert torch.equal(ColorJitter()(colours, draws), colours)


def test_random_grayscale_is_torchvisions_on_the_chosen(colours, draws):
    augmentation = RandomGrayscale(0.4)
    out = augmentation(colours, draws)
    chosen = draws.uniform("coin") < 0.4
    assert 8 < chosen.sum() < 25
    assert torch.equal(out[~chosen], colours[~chosen])
    assert_within_a_level(out[chosen], F.rgb_to_grayscale(colours[chosen], 3), same=0.3)
    assert torch.equal(out[chosen][:, :1].expand(-1, 3, -1, -1), out[chosen])
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(augmentation(colours.contiguous(), draws), out)
    assert torch.equal(RandomGrayscale(0)(colours, draws), colours)


def test_moments_are_numpys_in_whatever_parts(colours):
    pixels = colours.permute(1, 0, 2, 3).reshape(3, -1).numpy().astype(np.float64)
    for at_once in (7, 1000):
        mean, covariance = moments(colours, at_once)
        np.testing.assert_allclose(mean, pixels.mean(1), rtol=1e-12)
        np.testing.assert_allclose(covariance, np.cov(pixels, bias=True), rtol=1e-10)
    assert torch.equal(moments(colours, 7)[1], moments(colours, 1000)[1])


def test_pca_noise_adds_one_colour_of_the_papers_distribution(draws):
    correlated = torch.randn(5000, 3) @ torch.tensor([[30.0, 28, 25], [0, 12, 15], [0, 0, 6]]) + 128
    noise = PCANoise(0.8)
    noise.learn(correlated.clamp(0, 255).byte().view(-1, 3, 1, 1))
    grey = torch.full((20_000, 3, 2, 2), 128, dtype=torch.uint8)
    moved = noise(grey, type(draws)(0, 0, torch.arange(20_000))).double() - 128
    assert (moved == moved[:, :, :1, :1]).all()
    moved = moved[:, :, 0, 0]
    # The paper's: principal components, each times its eigenvalue and a draw, on a scale from 0 to 1.
    variances, components = np.linalg.eigh(noise.covariance.double().numpy())
    expected = components @ np.diag((0.8 * 255 * variances) ** 2) @ components.T
    np.testing.assert_allclose(np.cov(moved.T.numpy()) - np.eye(3) / 12, expected, atol=0.05 * expected.max())
    assert abs(moved.mean()) < 0.1


def test_pca_noise_cuts_at_black_and_white(colours, draws):
    noise = PCANoise(30.0)
    noise.learn(colours)
    z = draws.normals("red", "green", "blue")
    colour = (30 * 255 * z @ noise.covariance).round()
    expected = (colours.double() + colour[:, :, None, None]).clamp(0, 255)
    assert torch.equal(noise(colours, draws).double(), expected)


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (
            lambda: ColorJitter(brightness=-0.1),
            "ColorJitter's `brightness` has to be a change of a factor.* but got -0.1",
        ),
        (lambda: ColorJitter(contrast=(0.5, 0.2)), r"`contrast` .* but got \[0.5, 0.2\]"),
        (lambda: ColorJitter(hue=0.6), "`hue` has to be a share of a turn from 0 to 0.5.* but got 0.6"),
        (lambda: ColorJitter(hue=0.1).check((28, 28), 1), "3 channels, but these have 1. Set `hue` to 0"),
        (lambda: ColorJitter(0.1).check((28, 28), 4), "1 or 3 channels, but these have 4"),
        (lambda: RandomGrayscale(-0.1), "RandomGrayscale's `p` has to be a probability from 0 to 1, but got -0.1"),
        (lambda: RandomGrayscale().check((28, 28), 1), "RandomGrayscale needs images of 3 channels, but these have 1"),
        (lambda: PCANoise(-1), "PCANoise's `std` has to be a number from 0 up, but got -1"),
        (lambda: PCANoise().check((28, 28), 1), "PCANoise needs images of 3 channels, but these have 1"),
    ],
)
def test_colour_refuses(build, match):
    with pytest.raises(ValueError, match=match):
        build()

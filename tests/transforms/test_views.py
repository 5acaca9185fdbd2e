"""Views of a dataset, against plain loops and NumPy, through `fit`, checkpoints and the verbs that use them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import lit_cnn as package
from lit_cnn import (
    HighPass,
    LowPass,
    Mixup,
    PhaseScramble,
    RandomShift,
    SampleDataModule,
    ShuffleChannels,
    ShufflePixels,
    SyntheticDataModule,
    Translate,
)
from lit_cnn.transforms.views import seen, settings_of, view_of

FIT = (
    "fit", "--model", "LitMLP", "--data", "SyntheticDataModule", "--data.image_size", "12", "--data.num_classes", "3",
    "--data.train_images", "200", "--data.test_images", "60", "--data.batch_size", "32", "--trainer.max_epochs", "1",
    "--trainer.accelerator", "cpu", "--pictures.enabled", "false",
)  # fmt: skip
N = torch.arange(9)


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 256, (9, 3, 10, 13), np.uint8))


def low(plane, cutoff):
    """One channel without its high frequencies, by the whole Fourier transform in loops."""
    spectrum = np.fft.fft2(plane.astype(float))
    height, width = plane.shape
    for u in range(height):
        for v in range(width):
            down, right = min(u, height - u), min(v, width - v)
            if (down**2 + right**2) ** 0.5 > cutoff:
                spectrum[u, v] = 0
    return np.fft.ifft2(spectrum).real


@pytest.fixture(scope="module")
def digits():
    data = SampleDataModule()
    data.setup("test")
    return data.arrays("test").images[:200]


@pytest.mark.parametrize("cutoff", [0.5, 2.0, 3.7, 6])
def test_low_and_high_pass_are_those_of_the_whole_transform(images, cutoff):
    below, above = LowPass(cutoff)(images, N, "train"), HighPass(cutoff)(images, N, "train")
    clipped = LowPass(cutoff, clip=True)(images, N, "train"), HighPass(cutoff, clip=True)(images, N, "train")
    for i in range(9):
        for c in range(3):
            plane = images[i, c].numpy()
            wanted = low(plane, cutoff)
            for exact, (found, cut) in zip(
                (wanted, plane - wanted + 127.5), zip((below, above), clipped, strict=True), strict=True
            ):
                assert np.abs(found[i, c].float().numpy() - exact).max() <= 0.13  # of 16 bits, up to 511
                assert np.abs(cut[i, c].numpy() - np.clip(exact, 0, 255)).max() <= 0.51


@pytest.mark.parametrize("cutoff", [2, 4, 9])
def test_nothing_but_the_promised_frequencies_is_left_of_digits(digits, cutoff):
    n = torch.arange(len(digits))
    before = np.fft.fft2(digits.numpy().astype(float))
    distance = np.abs(np.fft.fftfreq(28) * 28)
    inside = np.hypot(distance[:, None], distance) <= cutoff
    for view, kept in ((LowPass(cutoff), inside), (HighPass(cutoff), ~inside)):
        found = view(digits, n, "train").numpy().astype(float) - (127.5 if view.__class__ is HighPass else 0)
        after = np.fft.fft2(found)
        assert np.abs(after[..., kept] - before[..., kept]).max() < 10  # of sums over 784 pixels, up to 80,000
        assert np.abs(after[..., ~kept]).max() < 10


def test_phase_scramble_keeps_the_amplitudes_of_digits_and_nothing_of_their_shapes(digits):
    found = PhaseScramble(3)(digits, torch.arange(len(digits)), "train").numpy().astype(float)
    plain = digits.numpy().astype(float)
    before, after = np.abs(np.fft.fft2(plain)), np.abs(np.fft.fft2(found))
    assert np.abs(before - after).max() < 10
    assert np.abs(plain.mean((1, 2, 3)) - found.mean((1, 2, 3))).max() < 0.01
    assert np.abs(plain.std((1, 2, 3)) - found.std((1, 2, 3))).max() < 0.01
    related = [np.corrcoef(a.flatten(), b.flatten())[0, 1] for a, b in zip(plain, found, strict=True)]
    assert abs(np.mean(related)) < 0.05
    assert np.abs(related).max() < 0.6


def test_phase_scramble_moves_all_channels_alike(images):
    images[:, 1] = images[:, 0]
    found = PhaseScramble(3)(images, N, "train")
    assert (found[:, 0] == found[:, 1]).all()
    assert (found[:, 0] != found[:, 2]).any()
    assert (found != images).float().mean() > 0.9


def test_the_network_sees_grey_levels_beyond_black_and_white(digits):
    data = SampleDataModule(views=[PhaseScramble()], augment=[RandomShift(2, 2), Mixup()], batch_size=50)
    data.setup("fit")
    data.setup("test")
    exact = PhaseScramble().levels(digits.float(), torch.arange(200), "test")
    inputs = torch.cat([images for images, _ in data.test_dataloader()])[:200]
    assert (inputs - (exact / 255 - data.mean[0]) / data.std[0]).abs().max() < 2e-3
    black = -data.mean[0] / data.std[0]
    assert 0.2 < float((inputs < black - 0.1).float().mean()) < 0.6
    for images, _ in data.train_dataloader():
        assert images.isfinite().all()
        assert float(images.min()) < black - 1
        break


def test_augmentations_of_bytes_are_refused_after_views_of_floats(lit_cnn):
    views = "[{class_path: LowPass, init_args: {cutoff: 2}}]"
    outcome = lit_cnn(*FIT, "--data.views", views, "--data.augment", "[RandomFlip, Cutout]")
    assert outcome.code == 2
    assert "Cutout needs whole grey levels from 0 to 255, but LowPass makes other values" in outcome.err
    assert "`clip: true`" in outcome.err
    views = "[{class_path: LowPass, init_args: {cutoff: 2, clip: true}}]"
    assert lit_cnn(*FIT, "--data.views", views, "--data.augment", "[RandomFlip, Cutout]").code == 0


def test_a_view_of_an_earlier_checkpoint_clips_as_it_did():
    assert view_of({"view": "LowPass", "cutoff": 2}).clip
    assert view_of({"view": "PhaseScramble", "seed": 1}).clip
    assert not view_of(settings_of(LowPass(2))).clip
    assert vars(view_of({"view": "Translate", "pixels": 2, "seed": 0})) == vars(Translate(2))


def test_each_image_has_a_permutation_of_its_own_the_same_for_its_channels(images):
    numbered = torch.arange(130, dtype=torch.uint8).view(1, 1, 10, 13).expand(9, 3, -1, -1)
    found = ShufflePixels(1)(numbered, N, "train")
    assert (found.flatten(2).sort().values == numbered.flatten(2)).all()
    assert (found[:, :1] == found).all()
    assert len({tuple(f.flatten().tolist()) for f in found[:, 0]}) == 9
    positions = found[:, 0].float()
    assert abs(float(positions[:, 0, 0].mean()) - 64.5) < 40
    view = ShufflePixels(1)
    assert (view.inverse(view(images, N, "test"), N, "test") == images).all()
    assert (view(images, N, "train") != view(images, N, "test")).any()


def test_what_an_image_becomes_does_not_depend_on_the_others(images):
    for view in (PhaseScramble(), ShufflePixels(), Translate(3), LowPass(2)):
        whole = view(images, N, "test")
        assert (view(images[5:6], torch.tensor([5]), "test") == whole[5:6]).all()


def test_channels_change_places_for_all_alike(images):
    for seed in range(8):
        view = ShuffleChannels(seed)
        order = view.order(3).tolist()
        assert sorted(order) == [0, 1, 2] != order
        assert (view(images, N, "train") == images[:, order]).all()


def test_translation_is_that_of_a_loop_and_of_the_test_images_alone(images):
    found = Translate(4, seed=2)(images, N, "test")
    shifts = set()
    for image, moved in zip(images.numpy(), found.numpy(), strict=True):
        fits = []
        for down in range(-4, 5):
            for right in range(-4, 5):
                wanted = np.zeros_like(image)
                for y in range(10):
                    for x in range(13):
                        if 0 <= y - down < 10 and 0 <= x - right < 13:
                            wanted[:, y, x] = image[:, y - down, x - right]
                if (wanted == moved).all():
                    fits.append((down, right))
        assert len(fits) == 1
        shifts.update(fits)
    assert len(shifts) > 5
    assert (seen(images, [Translate(4)], "train") == images).all()


def test_the_dataset_is_read_through_its_views_one_after_the_other():
    plain, viewed = (
        SyntheticDataModule(image_size=12, train_images=1500, test_images=40, views=views)
        for views in (None, [LowPass(2), ShufflePixels()])
    )
    for data in (plain, viewed):
        data.setup("fit")
        data.setup("test")
    for split, n in (("train", 1500), ("test", 40)):
        indices = torch.arange(n)
        wanted = ShufflePixels()(LowPass(2)(plain._checked(split).images, indices, split), indices, split)
        assert (viewed._checked(split).images == wanted).all()
    assert (viewed.arrays("train").labels == plain.arrays("train").labels).all()


@pytest.mark.parametrize(
    "view", [LowPass(2), HighPass(3.5, clip=True), PhaseScramble(1), ShuffleChannels(2), Translate(2, 1)]
)
def test_settings_bring_a_view_back(view):
    again = view_of(json.loads(json.dumps(settings_of(view))))
    assert type(again) is type(view)
    assert vars(again) == vars(view)


def test_an_unknown_view_is_named():
    with pytest.raises(ValueError, match="seen through Blur, which lit_cnn does not know"):
        view_of({"view": "Blur"})


@pytest.mark.parametrize(
    ("views", "message"),
    [
        ("[{class_path: LowPass, init_args: {cutoff: 0}}]", "`cutoff` has to be a number of cycles per image above 0"),
        ("[{class_path: HighPass, init_args: {cutoff: 20}}]", "`cutoff` is 20.0 cycles per image, but images of"),
        ("[{class_path: Translate, init_args: {pixels: 12}}]", "`pixels` is 12, but the images have 12 x 12 pixels"),
        ("[{class_path: Translate, init_args: {pixels: 0}}]", "`pixels` has to be a number from 1 up"),
        ("[ShuffleChannels]", "ShuffleChannels needs images with several channels"),
        ("[Blur]", "data.views: there is no class Blur"),
    ],
)  # fmt: skip
def test_views_that_do_not_fit_end_in_a_sentence(lit_cnn, views, message):
    outcome = lit_cnn(*FIT, "--data.in_channels", 1, "--data.views", views)
    assert outcome.code == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) <= 3


def test_other_images_are_prepared_through_the_views_of_the_training(lit_cnn):
    views = "[{class_path: LowPass, init_args: {cutoff: 2}}, Translate]"
    assert lit_cnn(*FIT, "--data.views", views, "--name", "run").code == 0
    module = package.load("logs/run")
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, *module.input_shape), np.uint8))
    wanted = module.preprocess(LowPass(2)(images, torch.arange(4), "train"))
    assert torch.equal(module.predict(images), module(wanted).softmax(1))
    outcome = lit_cnn("export", "logs/run", "--format", "torchscript", "--preprocessing", "true")
    assert outcome.code == 2
    assert "seen through LowPass, Translate, which cannot be exported" in outcome.err
    outcome = lit_cnn(
        "test", "--config", "logs/run/version_0/config.yaml", "--ckpt_path", "logs/run", "--data.views", "[]"
    )
    assert outcome.code == 4
    assert "was trained with other views" in outcome.err
    assert lit_cnn("report", "logs/run").code == 0
    assert "the same as the run recorded" in Path("logs/run/version_0/report.md").read_text()


def test_views_that_need_an_index_refuse_images_without_one(lit_cnn):
    assert lit_cnn(*FIT, "--data.views", "[ShufflePixels]", "--name", "run").code == 0
    module = package.load("logs/run")
    with pytest.raises(ValueError, match="seen through ShufflePixels, which needs the number of an image"):
        module.predict(torch.zeros(1, *module.input_shape, dtype=torch.uint8))
    Image.fromarray(np.zeros((12, 12), np.uint8)).save("x.png")
    for verb in ("classify", "explain"):
        outcome = lit_cnn(verb, "logs/run", "x.png")
        assert outcome.code == 2
        assert "seen through ShufflePixels" in outcome.err

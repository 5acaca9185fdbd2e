import pytest
import torch
from lightning.pytorch import seed_everything

from lit_cnn.transforms import PixelPermutation, Preprocess, RandomCrop, RandomFlip
from lit_cnn.transforms.chain import augment
from lit_cnn.transforms.draws import Draws


@pytest.fixture
def images():
    return torch.randint(0, 256, (40, 3, 9, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def draws():
    return Draws(seed=0, epoch=0, indices=torch.arange(40) * 3, purpose="test")


def test_pixel_permutation_is_the_same_for_ever():
    assert PixelPermutation((28, 28), seed=0).order[:8].tolist() == GOLDEN
    seed_everything(1234)
    assert PixelPermutation((28, 28), seed=0).order[:8].tolist() == GOLDEN
    assert PixelPermutation((28, 28), seed=1).order[:8].tolist() != GOLDEN


GOLDEN = [102, 341, 231, 486, 783, 545, 449, 212]


def test_pixel_permutation_moves_each_pixel_of_all_images_and_channels_alike(images):
    permute = PixelPermutation((9, 7), seed=5)
    out = permute(images)
    order = permute.order.tolist()
    for b, c in ((0, 0), (39, 2)):
        for new, old in enumerate(order):
            assert out[b, c, new // 7, new % 7] == images[b, c, old // 7, old % 7]
    assert torch.equal(permute.inverse(out), images)


def test_preprocess_normalises_and_permutes(images):
    mean, std = [0.5, 0.4, 0.3], [0.2, 0.25, 0.3]
    plain, permuted = (Preprocess(mean, std, (9, 7), seed) for seed in (None, 5))
    expected = torch.stack([(images[:, c] / 255 - mean[c]) / std[c] for c in range(3)], dim=1)
    assert torch.allclose(plain(images), expected, atol=1e-5)
    assert torch.equal(permuted(images), PixelPermutation((9, 7), 5)(plain(images)))
    assert torch.equal(plain.to_picture(plain(images)), images)
    assert torch.equal(Preprocess(**permuted.settings)(images), permuted(images))


def test_shift_equals_a_loop(images):
    down, right = torch.arange(40) % 5 - 2, torch.arange(40) % 7 - 3
    out = shift(images, down, right)
    for b in range(40):
        for y in range(9):
            for x in range(7):
                old_y, old_x = y - int(down[b]), x - int(right[b])
                inside = 0 <= old_y < 9 and 0 <= old_x < 7
                expected = images[b, :, old_y, old_x] if inside else torch.zeros(3, dtype=torch.uint8)
                assert torch.equal(out[b, :, y, x], expected)


def test_random_crop_shifts_each_image_by_its_own_draws(images, draws):
    out = RandomCrop(2)(images, draws)
    down, right = draws.integers("down", -2, 2), draws.integers("right", -2, 2)
    assert len(set(zip(down.tolist(), right.tolist(), strict=True))) > 10
    assert torch.equal(out, shift(images, down, right))
    assert torch.equal(RandomCrop(0)(images, draws), images)


def test_random_flip_tosses_one_coin_for_each_image(images, draws):
    out = RandomFlip(0.5)(images, draws)
    flipped = [bool(torch.equal(o, i.flip(-1))) for o, i in zip(out, images, strict=True)]
    kept = [bool(torch.equal(o, i)) for o, i in zip(out, images, strict=True)]
    assert all(f != k for f, k in zip(flipped, kept, strict=True))
    assert 8 < sum(flipped) < 32
    assert torch.equal(RandomFlip(0)(images, draws), images)
    assert torch.equal(RandomFlip(1)(images, draws), images.flip(-1))


def test_augment_gives_each_augmentation_its_own_draws(images, draws):
    twice = augment(images, [RandomFlip(), RandomFlip()], draws)
    assert not torch.equal(twice, images)  # the same coins twice would undo each other


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: RandomCrop(-1), "from 0 up, but got -1"),
        (lambda: RandomFlip(1.5), "from 0 to 1, but got 1.5"),
        (lambda: RandomCrop(7).check((9, 7), 3), "padding` of 7 could move a whole image of 9 x 7"),
    ],
)
def test_augmentations_refuse(build, match):
    with pytest.raises(ValueError, match=match):
        build()

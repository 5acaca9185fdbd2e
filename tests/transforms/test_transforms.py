from dataclasses import replace

import pytest
import torch
from lightning.pytorch import seed_everything
from torch.nn import functional

from lit_cnn.data.arrays import Arrays
from lit_cnn.data.batches import BatchMaker
from lit_cnn.keyed_random import Draws
from lit_cnn.transforms import (
    AlternatingFlip,
    PixelPermutation,
    Preprocess,
    RandomCrop,
    RandomFlip,
    RandomGrayscale,
    RandomShift,
)
from lit_cnn.transforms.placement import Place, _put_pixels, put


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


def put_in_a_loop(images, place):
    out = torch.zeros_like(images)
    b, _, h, w = images.shape
    for i in range(b):
        image = images[i].flip(-1) if place.mirrored is not None and place.mirrored[i] else images[i]
        down, right = (0, 0) if place.shift is None else (int(place.shift[0][i]), int(place.shift[1][i]))
        for y in range(h):
            for x in range(w):
                if place.reflect:
                    out[i, :, y, x] = image[:, mirrored(y - down, h), mirrored(x - right, w)]
                elif 0 <= y - down < h and 0 <= x - right < w:
                    out[i, :, y, x] = image[:, y - down, x - right]
    return out


def mirrored(position, size):
    if position < 0:
        return -position
    return position if position < size else 2 * (size - 1) - position


SHIFT = (torch.arange(40) % 5 - 2, torch.arange(40) % 7 - 3)
SHIFT_OF_5 = (torch.tensor([8, 8, -8, -8, 0]), torch.tensor([-6, 6, 6, -6, 3]))  # as far as can be
COINS = torch.arange(40) % 3 == 0


@pytest.mark.parametrize("form", [put, _put_pixels])
@pytest.mark.parametrize(
    "place",
    [
        *(Place(), Place(COINS), Place(shift=SHIFT), Place(COINS, SHIFT), Place(~COINS & False)),
        *(Place(shift=SHIFT, reflect=True), Place(COINS, SHIFT, reflect=True)),
    ],
)
def test_put_equals_a_loop(images, place, form):
    expected = put_in_a_loop(images, place)
    assert torch.equal(form(images, place), expected)
    assert torch.equal(form(images.contiguous(memory_format=torch.channels_last), place), expected)
    assert torch.equal(form(images.float(), place), expected.float())  # other sizes of a pixel
    assert torch.equal(form(images[:, :1], place), expected[:, :1])


def test_images_placed_straight_from_memory_equal_those_placed_after_copying(images):
    arrays = Arrays(images, torch.arange(40)).part(torch.arange(39, -1, -2))
    indices = torch.tensor([0, 19, 3, 3, 11])  # the last image, which a shift takes beyond the memory, and others
    whole = Arrays(images, torch.arange(40))
    shifted = Place(COINS[:5], SHIFT_OF_5)
    reflected = Place(COINS[:5], (SHIFT_OF_5[0].clamp(-4, 4), SHIFT_OF_5[1].clamp(-3, 3)), reflect=True)
    for place in (Place(COINS[:5]), Place(shift=(SHIFT[0][:5], SHIFT[1][:5])), shifted, reflected):
        assert torch.equal(arrays.placed(indices, place), put_in_a_loop(arrays.gather(indices)[0], place))
        ends = torch.tensor([0, 39, 0, 39, 20])
        assert torch.equal(whole.placed(ends, place), put_in_a_loop(images[ends], place))


@pytest.mark.parametrize("first", [Place(COINS), Place(shift=SHIFT), Place(COINS, SHIFT, reflect=True)])
@pytest.mark.parametrize("second", [Place(~COINS), Place(shift=SHIFT), Place(torch.arange(40) % 2 == 0)])
def test_places_come_together_where_that_is_the_same(images, first, second):
    both = first.then(second)
    if both is None:
        assert first.shift is not None
        assert second.shift is not None
    else:
        assert torch.equal(put(images, both), put(put(images, first), second))


def test_random_crop_and_shift_move_each_image_by_its_own_draws(images, draws):
    place = RandomCrop(2).draw(draws)
    down, right = place.shift
    assert len(set(zip(down.tolist(), right.tolist(), strict=True))) > 10
    assert set(down.tolist()) | set(right.tolist()) == {-2, -1, 0, 1, 2}
    assert torch.equal(RandomCrop(2)(images, draws), put_in_a_loop(images, place))
    assert torch.equal(RandomCrop(0)(images, draws), images)
    down, right = RandomShift(down=0, right=3).draw(draws).shift
    assert set(down.tolist()) == {0}
    assert set(right.tolist()) == {-3, -2, -1, 0, 1, 2, 3}


def test_reflected_borders_are_those_of_torchs_padding(images, draws):
    for augmentation in (RandomCrop(3, "reflect"), RandomShift(3, 3, padding_mode="reflect")):
        place = augmentation.draw(draws)
        padded = functional.pad(images.float(), (3, 3, 3, 3), mode="reflect").byte()
        down, right = place.shift
        for image, all_of_it, y, x in zip(augmentation(images, draws), padded, 3 - down, 3 - right, strict=True):
            assert torch.equal(image, all_of_it[:, y : y + images.shape[2], x : x + images.shape[3]])


def test_integer_pair_is_uniform_and_independent():
    down, right = Draws(0, 0, torch.arange(90_000)).integer_pair("shift", 1, 1)
    counts = torch.bincount((down + 1) * 3 + right + 1)
    assert ((counts - 10_000).abs() < 4 * 100).all()


def test_alternating_flip_turns_each_image_in_every_second_epoch(images, draws):
    flips = [AlternatingFlip().draw(replace(draws, epoch=e)).mirrored for e in range(4)]
    assert torch.equal(flips[0], ~flips[1])
    assert torch.equal(flips[0], flips[2])
    assert torch.equal(flips[1], flips[3])
    assert 8 < int(flips[0].sum()) < 32


def augmented(images, augmentations, draws):
    """Returns what a batch of these images is made into, where every third image of a dataset is one of them."""
    arrays = Arrays(images.repeat_interleave(3, 0), torch.zeros(120, dtype=torch.int64))
    as_they_are = Preprocess([0.0] * 3, [1 / 255] * 3, images.shape[2:])
    return BatchMaker(arrays, as_they_are, augmentations, seed=draws.seed)(draws.indices, draws.epoch)[0]


def test_augmentations_in_a_row_equal_one_after_the_other(images, draws):
    chosen = [RandomFlip(), RandomCrop(2), RandomFlip(), RandomShift(1, 1), RandomGrayscale(0.5), RandomFlip()]
    out = images
    for position, augmentation in enumerate(chosen):
        out = augmentation(out, replace(draws, purpose=f"{type(augmentation).__name__} {position}"))
    assert torch.equal(augmented(images, chosen, draws), out.float())


def test_random_flip_tosses_one_coin_for_each_image(images, draws):
    out = RandomFlip(0.5)(images, draws)
    flipped = [bool(torch.equal(o, i.flip(-1))) for o, i in zip(out, images, strict=True)]
    kept = [bool(torch.equal(o, i)) for o, i in zip(out, images, strict=True)]
    assert all(f != k for f, k in zip(flipped, kept, strict=True))
    assert 8 < sum(flipped) < 32
    assert torch.equal(RandomFlip(0)(images, draws), images)
    assert torch.equal(RandomFlip(1)(images, draws), images.flip(-1))


def test_augment_gives_each_augmentation_its_own_draws(images, draws):
    twice = augmented(images, [RandomFlip(), RandomFlip()], draws)
    assert not torch.equal(twice, images.float())  # the same coins twice would undo each other


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: RandomCrop(-1), "from 0 up, but got -1"),
        (lambda: RandomShift(right=-1), "`right` has to be a number of pixels from 0 up, but got -1"),
        (lambda: RandomShift(2, 7).check((9, 7), 3), "`right` of 7 could move the whole image of 9 x 7"),
        (lambda: RandomCrop(4, "reflect").check((9, 7), 3), "less than half .* 9 x 7 pixels. Use at most 3"),
        (lambda: RandomCrop(2, "edge"), "padding_mode` has to be .*reflect"),
        (lambda: RandomFlip(1.5), "from 0 to 1, but got 1.5"),
        (lambda: RandomCrop(7).check((9, 7), 3), "padding` of 7 could move the whole image of 9 x 7"),
    ],
)
def test_augmentations_refuse(build, match):
    with pytest.raises(ValueError, match=match):
        build()

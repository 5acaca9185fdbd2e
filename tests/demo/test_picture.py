"""The picture of the demo's page: read, prepared as MNIST's digits were, shifted, rotated, with noise."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from lit_cnn.data.sources import sample
from lit_cnn.demo.picture import Changes, centred, changed, read_png, white_on_black, write_png
from lit_cnn.errors import DataError


def as_image(levels):
    return Image.fromarray(np.asarray(levels, np.uint8))


def test_drawing_is_scaled_to_20_pixels_and_centred_by_its_mass():
    drawing = Image.new("L", (280, 280))
    ImageDraw.Draw(drawing).polygon([(20, 30), (60, 30), (20, 110)], fill=255)  # small, at the top left, lopsided
    levels = np.asarray(centred(drawing)).astype(float)
    rows, columns = levels.sum(1), levels.sum(0)
    assert levels.shape == (28, 28)
    assert (rows > 0).sum() == 20
    assert abs(rows @ np.arange(28) / rows.sum() - 14) <= 0.51
    assert abs(columns @ np.arange(28) / columns.sum() - 14) <= 0.51


def test_digits_of_mnist_stay_as_they_are():
    images = sample.read("test").images[::50, 0]
    again = np.stack([np.asarray(centred(as_image(image))) for image in images])
    same = [(a == b).mean() for a, b in zip(again, images.numpy(), strict=True)]
    assert np.median(same) == 1  # some are a pixel beside their place, since MNIST scaled them from other sizes


@pytest.mark.parametrize("paper", [255, 230])
def test_dark_ink_on_paper_becomes_white_on_black(paper):
    levels = np.full((40, 40), paper)
    levels[10:30, 18:22] = 40
    drawing = np.asarray(white_on_black(as_image(levels)))
    assert drawing[0, 0] == 0
    assert drawing[20, 20] == 255


@pytest.mark.parametrize("level", [0, 120, 255])
def test_empty_picture_has_no_ink(level):
    assert not np.asarray(white_on_black(as_image(np.full((28, 28), level)))).any()
    assert not np.asarray(centred(as_image(np.zeros((28, 28))))).any()


def test_changes_are_what_they_say():
    digit = sample.read("test").images[:1]
    image, shape = as_image(digit[0, 0]), (1, 28, 28)
    assert torch.equal(changed(image, shape, Changes()), digit)
    assert torch.equal(changed(image, shape, Changes(right=1 / 7, down=-1 / 14))[..., :26, 4:], digit[..., 2:, :24])
    turned = changed(image, shape, Changes(degrees=90))
    assert (turned.int() - digit.rot90(-1, (2, 3)).int()).abs().max() <= 1  # clockwise
    both = changed(image, shape, Changes(right=1 / 7, degrees=90))
    assert (both[..., 4:].int() - turned[..., :24].int()).abs().max() <= 1  # shifted after it is rotated


def test_noise_has_its_size_and_does_not_flicker():
    grey = Image.new("L", (64, 64), 128)
    noisy = changed(grey, (3, 64, 64), Changes(noise=0.1))
    assert torch.equal(noisy, changed(grey, (3, 64, 64), Changes(noise=0.1)))
    assert abs(noisy.float().std() - 25.5) < 1


def test_png_goes_and_comes_back():
    image = torch.arange(48, dtype=torch.uint8).view(3, 4, 4)
    assert torch.equal(torch.from_numpy(np.array(read_png(write_png(image)))).permute(2, 0, 1), image)


@pytest.mark.parametrize("url", ["", "None", "data:image/png;base64,AAAA", "data:image/png;base64,?", "file:///x"])
def test_what_is_no_png_is_refused(url):
    with pytest.raises(DataError, match="not a PNG in a data URL"):
        read_png(url)


def test_huge_picture_is_refused():
    with pytest.raises(DataError, match="Send at most 1,048,576"):
        read_png(write_png(torch.zeros(1, 1025, 1024, dtype=torch.uint8)))

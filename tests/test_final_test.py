"""Faults of the test images are reported before the first step, by `fit` and by `check`."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lit_cnn import SyntheticDataModule
from lit_cnn.errors import DataError

FIT = (
    "--model", "LitMLP", "--data", "ImageFolderDataModule", "--data.data_dir", "images", "--data.batch_size", "8",
    "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu", "--pictures.enabled", "false",
)  # fmt: skip


class UntestableDataModule(SyntheticDataModule):
    """Its test images cannot be read."""

    def read(self, split):
        if split == "test":
            raise DataError("the test file is broken")
        return super().read(split)


def remove(folder):
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


SPOILED = {
    "no image": (lambda f: (f / "red/03.png").write_bytes(b"?"), "red/03.png is not an image that can be read"),
    "cut off": (
        lambda f: (f / "red/03.png").write_bytes((f / "red/03.png").read_bytes()[:60]),
        "red/03.png cannot be read",
    ),
    "size": (
        lambda f: Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(f / "red/03.png"),
        "red/03.png is 9 x 9 pixels",
    ),
    "foreign class": (lambda f: (f / "violet").mkdir(), "test has classes that images/train does not have: violet"),
    "no images": (lambda f: [remove(folder) for folder in f.iterdir()], "There are no images in"),
    "no folder": (lambda f: [*(remove(folder) for folder in f.iterdir()), f.rmdir()], "has no test images"),
}


@pytest.mark.parametrize("verb", ["fit", "check"])
@pytest.mark.parametrize("fault", SPOILED)
def test_a_broken_test_folder_is_told_before_the_first_step(lit_cnn, image_folder, fault, verb):
    spoil, message = SPOILED[fault]
    spoil(image_folder / "test")
    outcome = lit_cnn(verb, *FIT, "--data.cache", fault != "size", "--data.test_size", 0)
    assert outcome.code == 3, outcome.out
    assert message in outcome.err
    assert "epoch 1" not in outcome.out
    assert "sound" not in outcome.out
    assert not Path("logs").exists()  # what was made for the run is gone


def test_a_refused_run_leaves_folders_that_were_there_before(lit_cnn, image_folder):
    (image_folder / "test/red/03.png").write_bytes(b"?")
    Path("logs/mine").mkdir(parents=True)
    assert lit_cnn("fit", *FIT, "--name", "mine/deep").code == 3
    assert list(Path("logs").iterdir()) == [Path("logs/mine")]
    assert not list(Path("logs/mine").iterdir())


@pytest.mark.parametrize("verb", ["fit", "check"])
def test_any_data_that_cannot_be_tested_is_refused_before_the_first_step(lit_cnn, verb):
    data = ("--data", f"{__name__}.UntestableDataModule", "--data.train_images", "100", "--data.image_size", "12")
    outcome = lit_cnn(verb, *FIT[:2], *data, *FIT[6:])
    assert (outcome.code, outcome.err) == (3, "error: the test file is broken\n")


def test_a_training_without_a_test_does_not_look_at_the_test_images(lit_cnn, image_folder):
    (image_folder / "test/red/03.png").write_bytes(b"?")
    assert lit_cnn("fit", *FIT, "--test_after_fit", "false").code == 0
    outcome = lit_cnn("fit", *FIT, "--test_after_fit", "false", "--test_each_epoch", "true")
    assert "red/03.png is not an image that can be read" in outcome.err


@pytest.mark.parametrize("verb", ["fit", "check"])
def test_a_class_without_test_images_is_said_and_no_fault(lit_cnn, image_folder, verb):
    remove(image_folder / "test/green")
    outcome = lit_cnn(verb, *FIT, "--model.lr", "0.01")
    assert outcome.code == 0, outcome.err
    assert "images/test: 1 class has no images and is not tested: green." in outcome.out

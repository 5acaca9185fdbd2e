"""Class paths in configs and checkpoints from before a move of files still work."""

from pathlib import Path

import pytest
import torch
import yaml

import lit_cnn as package
from lit_cnn.experiments.cells import Cell
from lit_cnn.runs.class_paths import at_home, find_class, homes, path_of, present, up_to_date, with_defaults
from lit_cnn.runs.settings import decisive

# As they were written in November 2026: where each class was, and its name.
BEFORE = {
    "LitClassifier": "lit_cnn.classifiers.LitClassifier",
    "LitVGG": "lit_cnn.architectures.classic.LitVGG",
    "LitLeNet": "lit_cnn.architectures.small.LitLeNet",
    "CIFAR10DataModule": "lit_cnn.data.modules.CIFAR10DataModule",
    "ImageDataModule": "lit_cnn.data.base.ImageDataModule",
    "EMA": "lit_cnn.callbacks.averaging.EMA",
    "SafeCheckpointIO": "lit_cnn.checkpoint_io.SafeCheckpointIO",
    "RandomCrop": "lit_cnn.transforms.RandomCrop",
}
TINY = ("--config", "quickstart", "--trainer.max_epochs", 1, "--trainer.limit_train_batches", 2)


@pytest.mark.parametrize("name", BEFORE)
def test_class_is_found_by_its_path_of_before(name):
    cls = getattr(package, name)
    assert present(BEFORE[name]) == present(f"lit_cnn.{name}") == path_of(cls)


@pytest.mark.parametrize("name", [name for name in package.__all__ if name not in ("load", "models")])
def test_every_public_class_is_found_by_its_name(name):
    assert homes()[name] == path_of(getattr(package, name))


@pytest.mark.parametrize(
    "path",
    [
        "lit_cnn.load",
        "mine.LitVGG",
        "lit_cnn_mine.LitVGG",
        "lit_cnn.data.cache.os.system",
        "lit_cnn.architectures.nonsense.LitVGG",
        "lit_cnn.data.cache.os.LitVGG",
    ],
)
def test_other_paths_stay(path):
    assert present(path) == up_to_date(path) == at_home(path) == path


def test_settings_are_brought_up_to_date():
    home = path_of(package.LitVGG)
    before = {"model": {"class_path": BEFORE["LitVGG"], "init_args": {"lr": 0.1}}, "name": "lit_cnn"}
    assert up_to_date(before) == {"model": {"class_path": home, "init_args": {"lr": 0.1}}, "name": "lit_cnn"}
    assert up_to_date(["--model", BEFORE["LitVGG"]]) == ["--model", home]
    assert up_to_date(f'--model={{"class_path": "{BEFORE["LitVGG"]}"}}') == f'--model={{"class_path": "{home}"}}'
    assert up_to_date(["lit_cnn.LitVGG"]) == ["lit_cnn.LitVGG"]
    assert at_home(["lit_cnn.LitVGG"]) == [home]


def test_only_classes_of_ours_are_imported_for_their_path():
    assert find_class(BEFORE["LitVGG"], package.LitClassifier) is package.LitVGG
    assert find_class("antigravity.LitVGG", package.LitClassifier) is None


def _aged(run: Path) -> None:
    """Writes a run's config and checkpoints as they were before the move."""
    path = run / "config.yaml"
    text = path.read_text()
    for name, before in BEFORE.items():
        text = text.replace(f"class_path: lit_cnn.{name}\n", f"class_path: {before}\n")
    assert BEFORE["LitLeNet"] in text
    assert BEFORE["RandomCrop"] in text
    path.write_text(text)
    for file in (run / "checkpoints").glob("*.ckpt"):
        checkpoint = torch.load(file, weights_only=True)
        checkpoint["class_path"] = checkpoint["settings"]["model"] = BEFORE["LitLeNet"]
        torch.save(checkpoint, file)


def test_run_of_before_a_move_is_read_tested_and_gone_on_with(lit_cnn):
    assert lit_cnn("fit", *TINY, "--name", "run").code == 0
    run = Path("logs/run/version_0")
    now = yaml.safe_load((run / "config.yaml").read_text())
    _aged(run)
    then = yaml.safe_load((run / "config.yaml").read_text())
    assert then != now
    assert decisive(then) == decisive(now)  # the same cell of `ablate`, the same group of `report`
    assert Cell("run", "", {}, 0, Path("logs"), [], [], now).runs() == [run]
    assert type(package.load(run)) is package.LitLeNet
    for argv in (
        ("test", run),
        ("report", run),
        ("fit", "--config", run / "config.yaml", "--model", BEFORE["LitLeNet"], "--name", "again"),
        ("fit", "--resume", run),
    ):
        (run / "results.json").unlink(missing_ok=True)  # as if it had been broken off in its test
        done = lit_cnn(*argv)
        assert done.code == 0, done.err
    assert "test/acc" in (run / "results.json").read_text()


def test_settings_of_an_earlier_version_have_the_defaults_of_later_arguments():
    crop = {"class_path": "lit_cnn.transforms.placement.RandomCrop", "init_args": {"padding": 3}}
    earlier = {"model": path_of(package.LitVGG), "model.lr": 0.1, "data.augment": [crop], "seed_everything": 1}
    later = with_defaults(earlier)
    assert later["model.lr"] == 0.1
    assert later["model.sum_loss"] is False
    assert later["data.augment"][0]["init_args"] == {"padding": 3, "padding_mode": "zeros"}
    assert with_defaults(later) == later

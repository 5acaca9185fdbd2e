"""`test_each_epoch`: its accuracies are those of a test, and the training does not change."""

import csv
import json
from pathlib import Path

import pytest

FIT = (
    "fit", "--model", "LitMLP", "--data", "SyntheticDataModule", "--data.image_size", "12", "--data.num_classes", "3",
    "--data.train_images", "300", "--data.test_images", "70", "--data.batch_size", "32", "--trainer.accelerator", "cpu",
    "--pictures.enabled", "false",
)  # fmt: skip


def rows(run):
    with (Path(run) / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def results(run):
    found = json.loads((Path(run) / "results.json").read_text())
    return {key: value for key, value in found.items() if not key.endswith("seconds") and key != "name"}


def test_the_accuracy_of_each_epoch_is_that_of_a_test_of_its_checkpoint(lit_cnn):
    for epochs in (1, 3):
        flags = ("--trainer.max_epochs", epochs, "--test_each_epoch", epochs == 3, "--data.val_size", "0")
        assert lit_cnn(*FIT, *flags, "--name", f"e{epochs}").code == 0
    found = [float(row["each_epoch/test_acc"]) for row in rows("logs/e3/version_0") if row.get("each_epoch/test_acc")]
    assert len(found) == 3
    assert found[0] == pytest.approx(results("logs/e1/version_0")["test/acc"])
    assert found[2] == pytest.approx(results("logs/e3/version_0")["test/acc"])


def test_the_training_is_the_same_with_and_without(lit_cnn):
    for name in (True, False):
        flags = ("--trainer.max_epochs", 2, "--test_each_epoch", name)
        assert lit_cnn(*FIT, *flags, "--name", str(name)).code == 0
    assert results("logs/True/version_0") == results("logs/False/version_0")

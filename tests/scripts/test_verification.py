"""What `scripts/verify_architectures.py` prints, and that it notices what is wrong."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lit_cnn import models
from lit_cnn.models import ARCHITECTURES
from scripts.verification import steps
from scripts.verification.cells import Cell, of_tensors

ROOT = Path(__file__).parents[2]


def test_cells_say_equal_or_both_figures():
    assert str(Cell(6422, 6422)) == "6,422 equal"
    assert str(Cell(6422, 6423)) == "6,422 / 6,423"
    ours = torch.tensor([1.0, 2.0, 3.0])
    assert str(of_tensors(ours, ours.clone())) == "equal"
    assert str(of_tensors(ours, torch.tensor([1.0, 2.5, 3.25]))) == "2.0 / 2.5"
    assert not of_tensors(ours, torch.tensor([1.0, float("nan"), 3.0])).equal
    assert str(of_tensors(ours, ours[:2])) == "(3,) / (2,)"


@pytest.mark.slow
def test_tables_have_a_line_for_each_network_and_a_sum():
    command = [sys.executable, ROOT / "scripts/verify_architectures.py", "resnet20", "mlp"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(" | ")[0] for line in lines if line.startswith("| ")] == 2 * [
        "| name",
        "| ---",
        "| mlp",
        "| resnet20",
    ]
    assert [line for line in lines if "cells" in line] == [
        "2 networks: 5 cells equal, 0 differ.", "2 networks: 6 cells equal, 0 differ.",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_network_has_its_lit_class(name):
    side = max(32, ARCHITECTURES[name].smallest)
    with torch.device("meta"):
        ours = steps.lit_module(name, (3, side, side)).net.state_dict()
        theirs = models.create(name, in_channels=3, image_size=side).state_dict()
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in theirs.items()}


def test_steps_notice_what_gets_no_gradient(monkeypatch):
    assert steps.step("cnn", (1, 28, 28)) == []
    forward = models.CNN.forward
    monkeypatch.setattr(models.CNN, "forward", lambda self, images: forward(self, images).detach() + self.bias)
    monkeypatch.setattr(models.CNN, "bias", torch.nn.Parameter(torch.zeros(10)), raising=False)
    assert "no gradient for features.0.weight" in steps.step("cnn", (1, 28, 28))


def test_steps_notice_weights_that_do_not_come_back(monkeypatch):
    load = steps.lit_cnn.load

    def changed(path):
        module = load(path)
        next(module.net.parameters()).data[0] += 1
        return module

    monkeypatch.setattr(steps.lit_cnn, "load", changed)
    assert steps.step("cnn", (1, 28, 28)) == [
        "checkpoint comes back with other weights", "checkpoint comes back with other logits",
    ]  # fmt: skip

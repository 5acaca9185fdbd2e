"""Progress bar and printed lines of a run, with a clock that the tests set."""

import io
import re
import sys
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from conftest import SMALL
from tqdm import tqdm

from lit_cnn import LitClassifier
from lit_cnn.callbacks import progress
from lit_cnn.callbacks.progress import Count

IMAGES = torch.zeros(32, 1, 4, 4), torch.zeros(32)
LINE = re.compile(r"epoch (\d)/2  batch (\d+)/9  acc \d+\.\d% nll \d\.\d{3} ([\d,]+) images/s  (\d\d:\d\d) left")


@pytest.fixture
def clock(monkeypatch):
    """The seconds on the clock of the progress bar."""
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(perf_counter=lambda: now.seconds))
    return now


def test_a_pipe_gets_a_line_every_half_minute(clock, capsys):
    count = Count("test", 1000)
    for done in range(1, 1001):
        clock.seconds += 0.125
        count.advance(done, IMAGES, None, "test")
    count.close()
    assert capsys.readouterr().out.splitlines() == [
        "test  batch 240/1,000  256 images/s  01:35 left",
        "test  batch 480/1,000  256 images/s  01:05 left",
        "test  batch 720/1,000  256 images/s  00:35 left",
        "test  batch 960/1,000  256 images/s  00:05 left",
    ]


def test_batches_before_a_resume_do_not_count_in_the_speed(clock, capsys):
    count = Count("epoch 3/9", 1000, first=600)
    clock.seconds = 40.0
    count.advance(700, IMAGES, None, "train")
    endless = Count("predict", float("inf"))
    clock.seconds = 80.0
    endless.advance(5, IMAGES, None, "predict")
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["epoch 3/9  batch 700/1,000  80 images/s  02:00 left", "predict  batch 5  4 images/s"]


def test_a_long_epoch_prints_lines_with_accuracy_and_nll(clock, lit_cnn, monkeypatch):
    step, validation_step = LitClassifier.training_step, LitClassifier.validation_step

    def slow(module, batch, batch_idx):
        clock.seconds += 20.0
        return step(module, batch, batch_idx)

    def slow_validation(module, batch, batch_idx):
        clock.seconds += 45.0
        return validation_step(module, batch, batch_idx)

    monkeypatch.setattr(LitClassifier, "training_step", slow)
    monkeypatch.setattr(LitClassifier, "validation_step", slow_validation)
    out = lit_cnn("fit", "--model", "LitLeNet", *SMALL).out
    found = [LINE.fullmatch(line).groups() for line in out.splitlines() if " batch " in line and "epoch" in line]
    assert found == [
        (epoch, batch, "2", left)
        for epoch in "12"
        for batch, left in (("2", "02:20"), ("4", "01:40"), ("6", "01:00"), ("8", "00:20"))
    ]
    (line, _) = (line for line in out.splitlines() if line.startswith("validate "))
    assert re.fullmatch(r"validate  batch 1/1  acc \d+\.\d% nll \d\.\d{3} 1 images/s  00:00 left", line)


def test_a_quick_run_prints_only_its_epochs(lit_cnn):
    out = lit_cnn("fit", "--model", "LitLeNet", *SMALL).out
    assert " batch " not in out
    assert len(re.findall("^epoch", out, re.MULTILINE)) == 2


def test_a_terminal_gets_a_bar_and_no_lines(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    count = Count("epoch 1/1", 4)
    for done in range(1, 5):
        clock.seconds += 60.0
        count.advance(done, IMAGES, None, "train")
    count.close()
    out, err = capsys.readouterr()
    assert out == ""
    assert "epoch 1/1" in err


@pytest.mark.parametrize("batches", [57, 117_187, float("inf")])
def test_bar_is_whole_in_80_columns(batches, monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(progress, "tqdm", partial(tqdm, file=written, ncols=80, mininterval=0))
    monkeypatch.setattr(progress, "IN_NOTEBOOK", True)  # shows the bar though this is no terminal
    monkeypatch.setattr(progress, "_so_far", lambda *_: "acc 98.4% nll 0.052 ")
    count = Count("epoch 100/200", batches)
    count._bar.set_postfix_str("acc 98.4% nll 0.052 115,562 images/s")
    count.close()
    lines = [line.rstrip() for line in written.getvalue().split("\r") if "acc" in line]
    assert lines
    assert all(len(line) <= 80 and "images/s" in line for line in lines), lines


def test_the_first_epoch_explains_why_training_accuracy_is_below_validation(lit_cnn):
    out = lit_cnn("fit", "--config", "quickstart", "--trainer.max_epochs", 2, "--pictures.enabled", "false").out
    lines = out.splitlines()
    assert lines.count(progress.WHY_LOWER) == 1
    assert lines[lines.index(progress.WHY_LOWER) - 1].startswith("epoch 1/2")
    assert len(progress.WHY_LOWER) <= 80

"""Runs a training twice, with the fast loop and with Lightning's loop, and compares everything that they leave."""

import copy
import csv
import os
import random
import time
from pathlib import Path
from typing import NamedTuple

import lightning.pytorch as L
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loops.evaluation_loop import _EvaluationLoop

import lit_cnn
from lit_cnn.training.fast_loop import FastTraining
from lit_cnn.training.step_losses import StepLosses

QUIET = {
    "accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False, "default_root_dir": ".",
}  # fmt: skip


class Left(NamedTuple):
    """What a training leaves behind.

    `alone` are the steps that Lightning did not see, `shown` the batches of evaluation that it did.
    """

    step: int
    error: str
    weights: dict
    rows: list
    metrics: dict
    loops: dict
    checkpoints: dict
    calls: list
    alone: int
    shown: int


class Counter:
    """Counts the steps that the fast loop takes alone, and the batches of evaluation that Lightning sees."""

    def __init__(self, monkeypatch):
        self.alone = self.evaluation = 0
        take, evaluate = FastTraining._take_steps, _EvaluationLoop._evaluation_step

        def count_steps(fast, *args):
            before = fast.loop.batch_progress.current.ready
            try:
                return take(fast, *args)
            finally:
                self.alone += fast.loop.batch_progress.current.ready - before

        def count_evaluation(loop, *args):
            self.evaluation += 1
            evaluate(loop, *args)

        monkeypatch.setattr(FastTraining, "_take_steps", count_steps)
        monkeypatch.setattr(_EvaluationLoop, "_evaluation_step", count_evaluation)


class Taken:
    """Counts the losses of training batches as they are noted for the log."""

    def __init__(self, monkeypatch):
        self.batches = 0
        note = StepLosses.note

        def count(log, *args):
            self.batches += 1
            return note(log, *args)

        monkeypatch.setattr(StepLosses, "note", count)


def jumping():
    """A clock that stops, runs and jumps, differently each time."""
    draws = random.Random(os.urandom(8))
    return lambda: draws.choice([0.0, 1e-4, 1.0, 50.0]) * draws.random() + 1000.0


def fit(folder, fast, make, clock=None):
    """Trains what `make(calls)` returns (module, data, settings of the Trainer) in a folder.

    The list that `make` is given takes whatever hooks note, to be compared. `clock` makes a clock from the count of the
    batches whose loss was taken.
    """
    folder.mkdir()
    calls: list = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        counter = Counter(patch)
        torch.manual_seed(0)
        module, data, settings = make(calls)
        module.fast_loop = fast
        taken = Taken(patch)
        if clock is not None:
            now = clock(taken)
            for name in ("perf_counter", "monotonic"):
                patch.setattr(time, name, now)
        trainer = L.Trainer(**{"logger": CSVLogger(".", name="", version="")} | QUIET | settings)
        error = ""
        try:
            trainer.fit(module, data)
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
        log = Path("metrics.csv")
        rows = list(csv.DictReader(log.read_text().splitlines())) if log.is_file() else []
        rows = [{name: value for name, value in row.items() if "|" not in name} for row in rows]  # seconds
        saved = sorted(Path(".").rglob("*.ckpt"))
        return Left(
            trainer.global_step,
            error,
            copy.deepcopy(module.state_dict()),
            rows,
            {name: str(float(value)) for name, value in trainer.callback_metrics.items()},  # nan is nan
            trainer.fit_loop.state_dict(),
            {str(path): plain(torch.load(path, weights_only=False), str(folder)) for path in saved},
            calls,
            counter.alone,
            counter.evaluation,
        )


def plain(content, folder):
    """Returns a checkpoint's content with tensors as numbers, without its folder and the seconds that it took."""
    if isinstance(content, torch.Tensor):
        return [str(content.dtype), content.tolist()]
    if isinstance(content, dict):
        return {str(k).replace(folder, ""): plain(v, folder) for k, v in content.items() if k != "time_elapsed"}
    if isinstance(content, (list, tuple)):
        return [plain(inner, folder) for inner in content]
    if isinstance(content, (type(None), bool, int, float, str)):
        return content.replace(folder, "") if isinstance(content, str) else content
    return str(content).replace(folder, "")


def both(folder, make, clock=lambda taken: jumping()):
    """Returns what the fast loop leaves, after a check that it equals what Lightning's loop leaves, bit for bit."""
    fast, slow = (fit(folder / name, name == "fast", make, clock) for name in ("fast", "slow"))
    assert slow.alone == 0
    same(fast, slow)
    return fast


def same(a, b):
    assert (a.step, a.error) == (b.step, b.error)
    assert a.rows == b.rows
    assert a.calls == b.calls
    assert a.weights.keys() == b.weights.keys()
    for name, weight in a.weights.items():
        assert torch.equal(weight, b.weights[name]), name
    assert a.metrics == b.metrics
    assert a.loops == b.loops
    assert a.checkpoints.keys() == b.checkpoints.keys()
    for name, checkpoint in a.checkpoints.items():
        assert checkpoint == b.checkpoints[name], name


def data(**settings):
    """Returns synthetic images in batches of 8."""
    small = {"num_classes": 4, "in_channels": 1, "image_size": 12, "train_images": 120, "batch_size": 8, "seed": 0}
    return lit_cnn.SyntheticDataModule(**small | {"val_size": 0.2, "eval_batch_size": 8} | settings)

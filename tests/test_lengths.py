"""Length and results of a run: which images were used, which epochs were validated, and that no epoch is lost."""

import csv
import json
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Timer

from lit_cnn.cli.arguments import try_whole_numbers_first
from lit_cnn.cli.parser import Parser
from lit_cnn.runs import checkpoint_io

pytestmark = pytest.mark.slow

SETTINGS = (
    "--model", "LitMLP", "--model.hidden", "[8]", "--data", "SyntheticDataModule", "--data.image_size", "12",
    "--data.num_classes", "3", "--data.train_images", "200", "--data.test_images", "30", "--data.noise", "0.5",
    "--data.eval_batch_size", "8", "--trainer.accelerator", "cpu", "--trainer.max_epochs", "3",
    "--pictures.enabled", "false", "--name", "run",
)  # fmt: skip
RUN = Path("logs/run/version_0")
BATCH_BY_BATCH = ("--trainer.gradient_clip_val", "9")  # so that each batch is seen by the clock


def results_of(run=RUN):
    return json.loads((run / "results.json").read_text())


def rows_of(run=RUN):
    with (run / "metrics.csv").open() as file:
        return [{key: value for key, value in row.items() if value} for row in csv.DictReader(file)]


def weights_of(run=RUN, name="last"):
    return checkpoint_io.load(run / "checkpoints" / f"{name}.ckpt")["state_dict"]


@pytest.mark.parametrize(
    ("flags", "train", "val", "test"),
    [
        ((), 180, 20, 30),
        (("--trainer.max_steps", "2"), 128, None, 30),
        (("--trainer.limit_train_batches", "2"), 128, 20, 30),
        (("--trainer.limit_train_batches", "0.34"), 64, 20, 30),
        (("--trainer.overfit_batches", "1"), 64, 8, 30),
        (("--data.batch_size", "179"), 179, 20, 30),  # one is left, of which batch norm could not learn
        (("--trainer.limit_val_batches", "1", "--trainer.limit_test_batches", "2"), 180, 8, 16),
        (("--trainer.limit_val_batches", "0"), 180, None, 30),
        (("--data.val_size", "0"), 200, None, 30),
    ],
)
def test_the_images_that_were_used_are_counted(lit_cnn, flags, train, val, test):
    outcome = lit_cnn("fit", *SETTINGS, *flags)
    assert outcome.code == 0, outcome.err
    results = results_of()
    assert [results.get(f"{split}_images") for split in ("train", "val", "test")] == [train, val, test]
    for split, images in (("train", train), ("val", val), ("test", test)):
        lines = [line for line in outcome.out.splitlines() if line.startswith(f"{split} ")]
        assert [line.endswith(f"  {images} images") for line in lines] == [True] * bool(images)
        if images:
            assert results[f"{split}/acc"] * images == pytest.approx(round(results[f"{split}/acc"] * images), abs=1e-3)


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("1.0", 1.0), ("0.5", 0.5), ("null", None)])
def test_one_batch_is_one_whatever_the_order_of_its_types(text, value):
    # `typing` keeps one order for a process, which without rich is that of another function of Lightning's.
    parser = Parser()
    parser.add_argument("--limit", type=float | int | None)
    try_whole_numbers_first(parser)
    read = parser.parse_args(["--limit", text]).limit
    assert (read, type(read)) == (value, type(value))


def test_an_epoch_without_a_validation_shows_none(lit_cnn):
    outcome = lit_cnn("fit", *SETTINGS, "--trainer.check_val_every_n_epoch", "2")
    assert outcome.code == 0, outcome.err
    assert ["val acc" in line for line in outcome.out.splitlines() if line.startswith("epoch")] == [False, True, False]
    assert [row["epoch"] for row in rows_of() if "val/acc" in row] == ["1"]
    assert (results_of()["epoch"], results_of()["epochs"]) == (2, 3)
    assert checkpoint_io.load(RUN / "checkpoints" / "last.ckpt")["epoch"] == 2
    again = lit_cnn("fit", "--resume", RUN, "--trainer.max_epochs", "4")
    assert again.code == 0, again.err
    assert ["val acc" in line for line in again.out.splitlines() if line.startswith("epoch")] == [True]


@pytest.mark.parametrize("data", [(), ("--data.val_size", "0")], ids=["val", "no val"])
def test_a_last_epoch_without_a_validation_is_what_is_tested_and_told(lit_cnn, data):
    flags = ("--trainer.check_val_every_n_epoch", "2", "--checkpoint.monitor", "null", *data)
    assert lit_cnn("fit", *SETTINGS, *flags).code == 0
    results = results_of()
    assert results["epoch"] == 3
    assert results["train/acc"] == pytest.approx(
        float([row for row in rows_of() if "train/acc" in row][-1]["train/acc"])
    )
    assert not {"val/acc", "val_images", "monitor"} & set(results)


@pytest.mark.parametrize(
    "flags",
    [
        ("--checkpoint.every_n_epochs", "2"),
        ("--trainer.val_check_interval", "1"),
        ("--checkpoint.save_top_k", "-1", "--checkpoint.filename", "best{epoch}{step}"),
        ("--trainer.callbacks+=ModelCheckpoint", "--trainer.callbacks.monitor=train/nll"),
        ("--checkpoint.save_weights_only", "true"),
    ],
)
def test_the_figures_are_those_of_the_checkpoint_that_is_tested(lit_cnn, flags):
    outcome = lit_cnn("fit", *SETTINGS, "--model.lr", "0.3", "--trainer.max_epochs", "4", *flags)
    assert outcome.code == 0, outcome.err
    results = results_of()
    assert results["monitor"] == "val/acc"
    scores = {path: _score(lit_cnn, path) for path in (RUN / "checkpoints").glob("best*.ckpt")}
    assert results["val/acc"] == pytest.approx(max(scores.values()))
    best = [checkpoint_io.load(path) for path, score in scores.items() if score == max(scores.values())]
    assert results["epoch"] - 1 in [saved["epoch"] for saved in best]
    steps = [str(saved["global_step"] - 1) for saved in best]
    shown = [float(row["val/acc"]) for row in rows_of() if "val/acc" in row and row["step"] in steps]
    assert results["val/acc"] == pytest.approx(shown[0])


def _score(lit_cnn, path):
    outcome = lit_cnn("validate", "--config", RUN / "config.yaml", "--ckpt_path", path, "--name", "again")
    (line,) = [line for line in outcome.out.splitlines() if line.startswith("run ")]
    return results_of(Path(line.split()[1]))["val/acc"]


def test_without_a_best_checkpoint_the_last_epoch_is_reported(lit_cnn):
    outcome = lit_cnn("fit", *SETTINGS, "--model.lr", "0.3", "--checkpoint.save_top_k", "0")
    assert outcome.code == 0, outcome.err
    assert "best epoch" not in outcome.out
    assert results_of()["epoch"] == 3


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes by steps, a second each."""

    def check(self, trainer):
        self._now = max(self._offset, trainer.global_step)
        trainer.should_stop |= self._now >= self._duration

    monkeypatch.setattr(Timer, "_check_time_remaining", check)
    monkeypatch.setattr(Timer, "time_elapsed", lambda self, stage="train": getattr(self, "_now", 0))


NO_VALIDATION = ("--data.val_size", "0", "--data.train_images", "180")


@pytest.mark.parametrize("flags", [(), NO_VALIDATION, ("--trainer.check_val_every_n_epoch", "2")])
def test_a_run_ended_by_max_time_resumes_with_a_longer_one(lit_cnn, clock, flags):
    settings = (*SETTINGS, *BATCH_BY_BATCH, *flags)
    assert lit_cnn("fit", *settings, "--name", "whole").code == 0
    whole = Path("logs/whole/version_0")
    stopped = lit_cnn("fit", *settings, "--trainer.max_time", "00:00:00:05")
    assert stopped.code == 0, stopped.err
    assert "for 2 epochs, ended by max_time" in stopped.out
    before = results_of()
    assert (before["epochs"], before["steps"], before["ended_by"]) == (2, 5, "max_time")
    for flags in ((), ("--trainer.max_time", "00:00:00:05"), ("--trainer.max_time", "00:00:00:02")):
        refused = lit_cnn("fit", "--resume", RUN, *flags)
        assert refused.code == 2
        assert "ended by its max_time of 00:00:00:05" in refused.err
        assert "--trainer.max_time LONGER" in refused.err
        assert results_of() == before
    for time, epochs, steps in (("00:00:00:07", 3, 7), ("00:01:00:00", 3, 9)):
        gone_on = lit_cnn("fit", "--resume", RUN, "--trainer.max_time", time)
        assert gone_on.code == 0, gone_on.err
        assert (results_of()["epochs"], results_of()["steps"]) == (epochs, steps)
    assert results_of()["ended_by"] == "max_epochs"
    assert all(torch.equal(value, weights_of()[name]) for name, value in weights_of(whole).items())
    figures = [[row["train/acc"] for row in rows_of(run) if "train/acc" in row] for run in (RUN, whole)]
    assert figures[0] == figures[1]
    assert lit_cnn("fit", "--resume", RUN, "--trainer.max_time", "00:02:00:00").code == 2


def test_a_run_whose_time_is_used_up_keeps_its_epochs(lit_cnn, clock):
    limited = (*SETTINGS, *BATCH_BY_BATCH, "--trainer.max_time", "00:00:00:05")
    assert lit_cnn("fit", *limited).code == 0
    whole = results_of()
    untested = {key: value for key, value in whole.items() if not key.startswith("test")}
    (RUN / "results.json").write_text(json.dumps(untested))  # as if it had been killed in its test
    gone_on = lit_cnn("fit", "--resume", RUN)
    assert gone_on.code == 0, gone_on.err
    assert results_of() == whole


def test_a_run_that_max_steps_ended_goes_on_in_the_middle_of_its_epoch(lit_cnn):
    assert lit_cnn("fit", *SETTINGS, "--name", "whole").code == 0
    assert lit_cnn("fit", *SETTINGS, "--trainer.max_steps", "4").code == 0
    assert results_of()["ended_by"] == "max_steps"
    gone_on = lit_cnn("fit", "--resume", RUN, "--trainer.max_steps", "9")
    assert gone_on.code == 0, gone_on.err
    whole = weights_of(Path("logs/whole/version_0"))
    assert all(torch.equal(value, weights_of()[name]) for name, value in whole.items())
    assert (results_of()["epochs"], results_of()["steps"]) == (3, 9)


def test_a_schedule_of_a_checkpoint_that_ends_before_the_run_is_refused(lit_cnn):
    flags = ("--model.scheduler", "OneCycleLR", "--model.scheduler_interval", "step", "--trainer.max_steps", "4")
    assert lit_cnn("fit", *SETTINGS, *flags).code == 0
    gone_on = lit_cnn("fit", "--resume", RUN, "--trainer.max_steps", "9", "--allow_changes", "true")
    assert gone_on.code == 2
    assert "OneCycleLR ends after 4 steps, but the run has 9" in gone_on.err
    assert results_of()["steps"] == 4


def test_a_run_that_stopped_early_says_so(lit_cnn):
    flags = (
        "--trainer.callbacks+=EarlyStopping",
        "--trainer.callbacks.monitor=val/acc",
        "--trainer.callbacks.patience=1",
    )
    outcome = lit_cnn("fit", *SETTINGS, *flags, "--trainer.max_epochs", "9", "--trainer.callbacks.min_delta=2")
    assert outcome.code == 0, outcome.err
    assert "for 2 epochs, ended by EarlyStopping; best epoch by val/acc: " in outcome.out
    assert (results_of()["epochs"], results_of()["ended_by"]) == (2, "EarlyStopping")

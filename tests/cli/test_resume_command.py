"""`fit --resume`: an interrupted run is resumed in its folder, and ends as if it had never stopped."""

import csv
import itertools
import json
import os
import random
import re
import shutil
import signal
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from conftest import run_once

from lit_cnn import LitClassifier, load
from lit_cnn.runs import checkpoint_io

pytestmark = pytest.mark.slow

RUN = Path("logs/run/version_0")
SETTINGS = (
    "--model", "LitCNN", "--data", "SyntheticDataModule", "--data.image_size", "20", "--data.num_classes", "3",
    "--data.train_images", "900", "--data.test_images", "60", "--data.augment", "[RandomCrop, Mixup]",
    "--trainer.accelerator", "cpu", "--pictures.enabled", "false", "--trainer.max_epochs", "3",
    "--checkpoint_every", "4",
)  # fmt: skip


def state_of(run):
    """Hash of weights, optimizer and scheduler at the end of a run, its figures, and its log."""
    last = checkpoint_io.load(run / "checkpoints" / "last.ckpt")
    content = [last[part] for part in ("state_dict", "optimizer_states", "lr_schedulers")]
    results = json.loads((run / "results.json").read_text())
    with (run / "metrics.csv").open() as file:
        rows = [{key: row[key] for key in row if row[key] and key != "seconds"} for row in csv.DictReader(file)]
    rows = [row for row in rows if row.keys() - {"epoch", "step"}]
    figures = {key: value for key, value in results.items() if not key.endswith("seconds") and key != "name"}
    return _hash(content), figures, sorted(rows, key=lambda row: (int(row["step"]), sorted(row)))


def _hash(content):
    if torch.is_tensor(content):
        return sha256(content.contiguous().numpy().tobytes()).hexdigest()
    if isinstance(content, dict):
        content = [(key, _hash(value)) for key, value in sorted(content.items(), key=str)]
    if isinstance(content, (list, tuple)):
        content = [_hash(item) for item in content]
    return sha256(str(content).encode()).hexdigest()


def test_five_runs_killed_at_any_moment_end_like_an_uninterrupted_run(processes):
    settings = [
        *SETTINGS,
        "--trainer.max_epochs",
        "12",
        "--model.scheduler",
        "OneCycleLR",
        "--trainer.log_every_n_steps",
        "3",
    ]
    assert processes.run("fit", *settings, "--name", "whole")[0] == 0
    whole = state_of(Path("logs/whole/version_0"))
    seconds = json.loads(Path("logs/whole/version_0/results.json").read_text())["fit_seconds"]
    rng = random.Random(0)
    killed = attempts = 0
    while killed < 5:
        attempts += 1
        name = f"run{attempts}"
        run = Path("logs") / name / "version_0"
        processes.start("fit", *settings, "--name", name)
        processes.wait_for_file(run / "checkpoints" / "last.ckpt")
        time.sleep(rng.uniform(0, 1) * seconds)
        with suppress(ProcessLookupError):
            os.kill(processes.pid, signal.SIGKILL)
        if processes.wait()[0] != -signal.SIGKILL:  # it had come to its end
            seconds *= 0.8
            continue
        code, out = processes.run("fit", *settings, "--name", name, "--resume")
        assert code == 0, out
        assert f"resumes from {run}/checkpoints/" in out
        assert state_of(run) == whole, out
        assert [path.name for path in run.parent.iterdir()] == ["version_0"]
        killed += 1


@pytest.mark.parametrize("within", [("--checkpoint_every", "13"), ("--trainer.val_check_interval", "4")])
def test_an_interrupted_validation_is_repeated_on_resume(lit_cnn, monkeypatch, within):
    validations = itertools.count(1)
    begin = LitClassifier.on_validation_start

    def broken(self):
        if next(validations) == 3:  # the first is the sanity check
            raise RuntimeError("the lights went out")
        begin(self)

    with monkeypatch.context() as patch:
        patch.setattr(LitClassifier, "on_validation_start", broken)
        assert lit_cnn("fit", *SETTINGS, *within, "--name", "run").code != 0
    gone_on = lit_cnn("fit", "--resume", RUN)
    assert gone_on.code == 0, gone_on.err
    assert lit_cnn("fit", *SETTINGS, *within, "--name", "whole").code == 0
    assert state_of(RUN) == state_of(Path("logs/whole/version_0"))


@pytest.mark.parametrize("lost", [0, 2])
def test_a_run_killed_after_its_last_step_has_all_its_figures(lit_cnn, lost):
    assert lit_cnn("fit", *SETTINGS, "--name", "run").code == 0
    whole = state_of(RUN)
    (RUN / "results.json").unlink()  # as it is while the test runs
    log = (RUN / "metrics.csv").read_text().splitlines(keepends=True)
    (RUN / "metrics.csv").write_text("".join(log[: len(log) - lost]))
    gone_on = lit_cnn("fit", "--resume", str(RUN))
    assert gone_on.code == 0, gone_on.err
    assert re.search(r"^train  acc .*\nval    acc .*\ntest   acc .*\ntime .* for 3 epochs; ", gone_on.out, re.MULTILINE)
    assert state_of(RUN)[:2] == whole[:2]
    with (RUN / "metrics.csv").open() as file:
        assert {row["epoch"] for row in csv.DictReader(file) if row["train/acc"]} == {"0", "1", "2"}


@pytest.fixture(scope="module")
def terminated(tmp_path_factory):
    """A run that was terminated in its second epoch."""
    steps = iter(range(10_000))
    step = LitClassifier.training_step

    def terminate(self, *args):
        if next(steps) == 20:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LitClassifier, "training_step", terminate)
        return run_once(tmp_path_factory.mktemp("terminated"), *SETTINGS, "--name", "run", code=143)


@pytest.fixture
def interrupted(terminated):
    return shutil.copytree(terminated, RUN)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The results of the run that was not interrupted."""
    return state_of(run_once(tmp_path_factory.mktemp("whole"), *SETTINGS, "--name", "whole"))


@pytest.mark.parametrize("way", [("--resume", RUN), ("--name", "run", "--ckpt_path", "last", *SETTINGS)])
def test_a_run_resumes_in_its_own_folder(lit_cnn, interrupted, whole, way):
    outcome = lit_cnn("fit", *way)
    assert outcome.code == 0, outcome.err
    assert re.search(r"resumes from logs/run/version_0/checkpoints/last.ckpt, step 2[0-4]\n", outcome.out)
    assert state_of(RUN) == whole


def test_a_broken_checkpoint_is_named_and_the_one_before_taken(lit_cnn, interrupted, whole):
    last = interrupted / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:-1000])
    outcome = lit_cnn("fit", "--resume", RUN)
    assert outcome.code == 0
    assert "last.ckpt cannot be read as a checkpoint: it is incomplete" in outcome.out
    assert "resumes from logs/run/version_0/checkpoints/best.ckpt, step 13" in outcome.out
    assert state_of(RUN)[0] == whole[0]


def test_an_epoch_whose_checkpoint_was_written_just_before_a_kill_is_in_the_log(lit_cnn, interrupted, whole):
    (interrupted / "checkpoints" / "last.ckpt").unlink()
    log = interrupted / "metrics.csv"
    rows = log.read_text().splitlines(keepends=True)
    column = rows[0].strip().split(",").index("train/acc")
    log.write_text("".join([rows[0], *(row for row in rows[1:] if not row.strip().split(",")[column])]))
    assert len(log.read_text().splitlines()) < len(rows)
    assert lit_cnn("fit", "--resume", RUN).code == 0
    assert state_of(RUN) == whole


@pytest.mark.parametrize(
    ("flags", "change"),
    [
        (("--model.lr", "0.5"), "model.lr was 0.001, now 0.5"),
        (("--data.batch_size", "32"), "data.batch_size was 64, now 32"),
        (("--data.augment", "[RandomFlip]"), "data.augment was ["),
        (("--seed_everything", "1"), "seed_everything was 0, now 1"),
        (("--trainer.gradient_clip_val", "1"), "trainer.gradient_clip_val was null, now 1"),
    ],
)
def test_other_settings_are_named_and_refused(lit_cnn, interrupted, flags, change):
    outcome = lit_cnn("fit", "--resume", RUN, *flags)
    assert outcome.code == 4
    assert f"last.ckpt was trained with other settings: {change}" in outcome.err
    assert "allow the new ones with --allow_changes true" in outcome.err
    assert len(outcome.err.splitlines()) <= 3


def test_another_permutation_is_refused_whatever_is_allowed(lit_cnn, interrupted):
    for allowed in ("false", "true"):
        outcome = lit_cnn("fit", "--resume", RUN, "--data.permute", "true", "--allow_changes", allowed)
        assert outcome.code == 4
        assert "start a new run" in outcome.err
        assert "allow the new ones" not in outcome.err


def test_other_settings_are_used_with_allow_changes(lit_cnn, interrupted):
    assert lit_cnn("fit", "--resume", RUN, "--model.lr", "0.5", "--allow_changes", "true").code == 0


def test_another_image_size_is_refused_or_allowed(lit_cnn):
    settings = ("--model", "LitCIFARResNet", "--model.name", "resnet20", *SETTINGS[2:], "--name", "run")
    assert lit_cnn("fit", *settings, "--data.train_images", "90", "--trainer.max_epochs", "1").code == 0
    larger, allowed = ("--data.image_size", "24"), ("--allow_changes", "true")
    outcome = lit_cnn("test", RUN, *larger)
    assert outcome.code == 4
    assert "best.ckpt was trained on images of 20 x 20 pixels, but the config has 24 x 24." in outcome.err
    assert lit_cnn("test", RUN, *larger, *allowed).code == 0
    longer = ("fit", "--resume", RUN, "--trainer.max_epochs", "2", *larger)
    assert "data.image_size was 20, now 24" in lit_cnn(*longer).err
    assert lit_cnn(*longer, *allowed).code == 0
    assert load(RUN / "checkpoints" / "last.ckpt").input_shape == (3, 24, 24)


def test_a_finished_run_is_resumed_only_for_more_epochs(lit_cnn, interrupted):
    assert lit_cnn("fit", "--resume", RUN).code == 0
    before = (RUN / "results.json").read_text()
    outcome = lit_cnn("fit", "--resume", RUN)
    assert outcome.code == 2
    assert "The run logs/run/version_0 is finished: 3 epochs, 39 steps." in outcome.err
    assert (RUN / "results.json").read_text() == before
    assert lit_cnn("fit", "--resume", RUN, "--trainer.max_epochs", "4").code == 0
    assert lit_cnn("fit", *SETTINGS, "--trainer.max_epochs", "4", "--name", "whole").code == 0
    assert state_of(RUN) == state_of(Path("logs/whole/version_0"))


CYCLE = ("--model.scheduler", "OneCycleLR", "--model.scheduler_interval", "step")


@pytest.mark.parametrize(
    "settings",
    [
        [],
        CYCLE,
        [*CYCLE, "--model.scheduler_args", "{total_steps: 26}"],
        ["--model.scheduler", "CosineAnnealingLR"],
        ["--trainer.max_epochs", "2", "--trainer.max_steps", "7"],
        ["--trainer.max_epochs", "2", "--trainer.max_steps", "7", "--model.scheduler", "CosineAnnealingLR"],
    ],
)
def test_the_command_suggested_for_a_finished_run_trains_it_longer(lit_cnn, settings):
    assert lit_cnn("fit", *SETTINGS, "--trainer.max_epochs", "1", *settings, "--name", "run").code == 0
    advised = re.search(r"--(resume|config) logs.*(?=\.$)", lit_cnn("fit", "--resume", RUN).err.strip())[0]
    longer = lit_cnn("fit", *advised.replace("epochs N", "epochs 2").replace("steps N", "steps 26").split())
    assert longer.code == 0, longer.err
    run = RUN if "--resume" in advised else RUN.with_name("version_1")
    assert json.loads((run / "results.json").read_text())["steps"] == 26


@pytest.mark.parametrize("no_longer", [("max_epochs", 5), ("max_steps", 6)])
def test_limits_that_do_not_extend_a_finished_run_are_refused(lit_cnn, no_longer):
    assert lit_cnn("fit", *SETTINGS, "--trainer.max_steps", "7", "--name", "run").code == 0
    refused = lit_cnn("fit", "--resume", RUN, f"--trainer.{no_longer[0]}", no_longer[1])
    assert refused.code == 2
    assert "To train it longer: --resume logs/run/version_0 --trainer.max_steps N." in refused.err


def test_a_longer_run_of_a_schedule_that_keeps_its_length_is_not_advised(lit_cnn):
    assert lit_cnn("fit", *SETTINGS, "--trainer.max_epochs", "1", *CYCLE, "--name", "run").code == 0
    refused = lit_cnn("fit", "--resume", RUN, "--trainer.max_epochs", "2")
    assert refused.code == 4
    assert "trainer.max_epochs was 1, now 2.\nOneCycleLR cannot train longer" in refused.err
    assert "--allow_changes" not in refused.err


def test_a_run_interrupted_before_its_test_is_tested_on_resume(lit_cnn, interrupted):
    assert lit_cnn("fit", "--resume", RUN, "--test_after_fit", "false").code == 0
    results = json.loads((RUN / "results.json").read_text())
    assert "test/acc" not in results
    assert lit_cnn("fit", "--resume", RUN, "--test_after_fit", "true").code == 0
    assert json.loads((RUN / "results.json").read_text())["test/acc"] > 0


@pytest.mark.parametrize(
    ("way", "message"),
    [
        (["--resume"], "--resume needs the run to resume"),
        (["--resume", "logs/none"], "There is no run logs/none to resume."),
        (["--resume", "--name", "none", *SETTINGS], "There is no run in logs/none with a checkpoint."),
    ],
)
def test_a_run_without_a_checkpoint_cannot_be_resumed_and_says_so(lit_cnn, way, message):
    outcome = lit_cnn("fit", *way)
    assert outcome.code == 4
    assert message in outcome.err


def test_a_run_whose_checkpoints_are_all_broken_says_so(lit_cnn, interrupted):
    for path in interrupted.glob("checkpoints/*.ckpt"):
        path.write_bytes(b"nothing")
    outcome = lit_cnn("fit", "--resume", RUN)
    assert outcome.code == 4
    assert "There is no checkpoint in logs/run/version_0 to resume from. Start a new run." in outcome.err
    assert len(outcome.err.splitlines()) == 3
    assert list(RUN.glob("checkpoints/*.ckpt"))


def test_a_refused_resume_leaves_the_run_unchanged(lit_cnn):
    begun = lit_cnn("fit", *SETTINGS, "--name", "run", "--trainer.max_epochs", 1, *CYCLE)
    assert begun.code == 0, begun.err
    before = {path: path.read_bytes() for path in RUN.iterdir() if path.is_file()}
    refused = lit_cnn("fit", "--resume", RUN, "--trainer.max_epochs", 3, "--allow_changes", "true")
    assert refused.code == 2
    assert "OneCycleLR ends after" in refused.err
    assert {path: path.read_bytes() for path in RUN.iterdir() if path.is_file()} == before

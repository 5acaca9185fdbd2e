"""Runs that end early: signals, full disks, losses that are not finite. With real processes."""

import csv
import errno
import itertools
import json
import math
import os
import random
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import lightning.pytorch as L
import pytest
import torch
from conftest import run_once

import lit_cnn as library
from lit_cnn.errors import DivergedError
from lit_cnn.runs import checkpoint_io

pytestmark = pytest.mark.slow

DATA = (
    "--model", "LitLeNet", "--data", "SyntheticDataModule", "--data.image_size", "16", "--data.num_classes", "3",
    "--data.test_images", "60", "--trainer.accelerator", "cpu", "--pictures.enabled", "false",
    "--trainer.max_epochs", "1",
)  # fmt: skip
# Epochs of 16 steps, each with a validation that takes longer; and one epoch that is nearly all steps.
MOSTLY_VALIDATION = (*DATA, "--data.train_images", "6000", "--data.val_size", "5000", "--data.eval_batch_size", "5",
                     "--trainer.max_epochs", "8")  # fmt: skip
MOSTLY_STEPS = (*DATA, "--data.train_images", "20000", "--data.batch_size", "8", "--trainer.max_epochs", "2")
STEPS = {"validation": 8 * 16, "training": 2 * 18_000 // 8}


@pytest.mark.parametrize("where", ["validation", "training"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_says_how_to_go_on(processes, number, code, where):
    rng = random.Random(f"{number} {where}")
    settings = MOSTLY_VALIDATION if where == "validation" else MOSTLY_STEPS
    for attempt in range(3):
        folder = Path("logs") / f"run{attempt}" / "version_0"
        began = time.monotonic()
        processes.start("fit", *settings, "--name", f"run{attempt}")
        processes.wait_for_file(folder / "metrics.csv")  # the first steps are taken
        begun = time.monotonic() - began  # about a second, where nothing else runs
        time.sleep(rng.uniform(0, 1))
        os.kill(processes.pid, number)
        start = time.monotonic()
        found, out = processes.wait()
        seconds = time.monotonic() - start
        print(f"signal {int(number)}, exit {found} after {seconds:.2f} s\n{out}")
        assert found == code
        assert seconds < 5 * max(1, begun)
        assert "Traceback" not in out
        command = out.splitlines()[-1]
        assert command == f"python -m lit_cnn fit --resume {folder}"
        stopped = int(re.search(r"stopped after step (\d+); to resume:", out)[1])
        assert checkpoint_io.load(folder / "checkpoints" / "last.ckpt")["global_step"] == stopped
    found, out = processes.run(*command.split()[3:])
    assert found == 0, out
    assert json.loads((folder / "results.json").read_text())["steps"] == STEPS[where]


TWO_EPOCHS = (*MOSTLY_VALIDATION, "--trainer.max_epochs", 2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run_once(tmp_path_factory.mktemp("whole"), *TWO_EPOCHS)


@pytest.mark.parametrize("step", [30, 900])  # of the validation: 2 in the sanity check, 1000 in the first epoch
def test_an_interrupted_validation_is_repeated(lit_cnn, monkeypatch, whole, step):
    steps = itertools.count()
    count = library.LitClassifier.validation_step

    def terminated(*args):
        count(*args)
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.3)  # until it is looked for again

    monkeypatch.setattr(library.LitClassifier, "validation_step", terminated)
    broken = lit_cnn("fit", *TWO_EPOCHS, "--name", "broken")
    assert broken.code == 143
    assert step < next(steps) < 1000
    command = broken.out.splitlines()[-1]
    assert lit_cnn(*command.split()[3:]).code == 0
    runs = (whole, Path("logs/broken/version_0"))
    results = [json.loads((run / "results.json").read_text()) for run in runs]
    for name in ("val/acc", "val/nll", "test/nll", "steps", "epochs", "epoch"):
        assert results[0][name] == results[1][name], name


def test_a_signal_before_the_first_step_leaves_nothing(processes):
    processes.start("fit", *MOSTLY_VALIDATION, "--data.train_images", "200000")
    time.sleep(0.3)
    os.kill(processes.pid, signal.SIGTERM)
    code, out = processes.wait()
    assert code == 143
    assert "Traceback" not in out
    assert not list(Path().glob("logs/*/*"))


def test_two_signals_end_a_run_at_once(processes):
    processes.start("fit", *MOSTLY_STEPS)
    processes.wait_for_file("logs/LitLeNet/version_0/metrics.csv")
    for _ in range(2):
        os.kill(processes.pid, signal.SIGINT)
    code, out = processes.wait()
    assert code == 130, out
    assert "Traceback" not in out


DIVERGES = (*DATA, "--data.train_images", "300", "--data.batch_size", "8", "--trainer.max_epochs", "3",
            "--model.optimizer", "SGD", "--model.scheduler", "ExponentialLR",
            "--model.scheduler_interval", "step")  # fmt: skip


@pytest.mark.parametrize(
    ("lr", "gamma", "batches_before"), [(1e-3, 3.0, (4, 34)), (1e-6, 1.8, (34, 102)), (1e30, 1, (0, 4))]
)
def test_the_first_loss_that_is_not_finite_is_named(lit_cnn, lr, gamma, batches_before):
    schedule = ("--model.lr", lr, "--model.scheduler_args", f"{{gamma: {gamma}}}")
    outcome = lit_cnn("fit", *DIVERGES, *schedule, "--trainer.log_every_n_steps", 1)
    print(outcome.err)
    assert outcome.code == 5
    (folder,) = Path("logs/LitLeNet").iterdir()
    with (folder / "metrics.csv").open() as file:
        rows = [[float(r[name]) for name in ("step", "train/loss", "lr")] for r in csv.DictReader(file) if r["lr"]]
    step, loss, rate = next(row for row in rows if not math.isfinite(row[1]))
    assert batches_before[0] <= step < batches_before[1]
    batches = math.ceil(270 / 8)
    epoch, batch = (int(n) + 1 for n in divmod(step, batches))
    named = f"error: The loss is {loss} at batch {batch} of epoch {epoch}, learning rate {rate:g}."
    assert named in outcome.err
    assert "Lower --model.lr" in outcome.err
    for path in folder.rglob("*.ckpt"):
        weights = checkpoint_io.load(path)["state_dict"].values()
        assert all(weight.isfinite().all() for weight in weights if weight.is_floating_point())


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    module = library.LitLeNet(num_classes=3, image_size=16)
    data = library.SyntheticDataModule(num_classes=3, image_size=16, train_images=100)
    trainer = L.Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
                        enable_progress_bar=False, enable_model_summary=False)  # fmt: skip
    trainer.fit(module, data)
    with torch.no_grad():
        list(module.parameters())[-1][1] = float("inf")
    with pytest.raises(DivergedError, match=r"The weights net\..*bias are not finite at batch 2 of epoch 2"):
        trainer.save_checkpoint(tmp_path / "x.ckpt")
    assert not (tmp_path / "x.ckpt").exists()


@pytest.fixture
def disk(tmp_path):
    """A disk of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("mounting takes rights that this user has not")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(path):
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1000)):
            pass


def test_a_disk_that_fills_up_keeps_the_checkpoint_before(processes, disk):
    settings = (*MOSTLY_VALIDATION, "--trainer.default_root_dir", disk, "--name", "run")
    processes.start("fit", *settings)
    last = disk / "run" / "version_0" / "checkpoints" / "last.ckpt"
    processes.wait_for_file(last)
    fill(disk / "other")
    code, out = processes.wait()
    print(out)
    assert code == 6, out
    assert f": {os.strerror(errno.ENOSPC)}." in out
    assert "Traceback" not in out
    assert checkpoint_io.load(last)["global_step"] >= 16
    (disk / "other").unlink()
    folder = last.parents[1]
    assert processes.run("fit", "--resume", folder)[0] == 0


def test_a_full_disk_is_found_before_the_first_step(processes, disk):
    (disk / "other").write_bytes(bytes(3 * 2**20 - 90_000))
    code, out = processes.run("fit", *DATA, "--trainer.default_root_dir", disk, "--name", "run")
    print(out)
    assert code == 6, out
    assert f": {os.strerror(errno.ENOSPC)}, but a checkpoint of this network takes up to 0.2 MB." in out
    assert "epoch 1" not in out
    assert "Traceback" not in out


def test_a_read_only_disk_is_found_at_once(processes, disk):
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    code, out = processes.run("fit", *DATA, "--trainer.default_root_dir", disk)
    print(out)
    assert code == 6, out
    assert f": {os.strerror(errno.EROFS)}." in out
    assert len(out.splitlines()) <= 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(("kind", "driver"), [("gpu", False), ("cuda", False), ("gpu", True)])
def test_a_gpu_that_is_not_there_is_answered_with_what_is(lit_cnn, monkeypatch, kind, driver):
    monkeypatch.setattr("lit_cnn.cli.absent_gpu.may_have_gpu", lambda: driver)
    outcome = lit_cnn("fit", *DATA, "--trainer.accelerator", kind)
    assert outcome.code == 2, outcome.err
    said = "This machine has 0 GPUs that torch can use." if driver else "this machine has no GPU that torch can use."
    assert said in outcome.err
    assert "Use --trainer.accelerator auto" in outcome.err
    assert len(outcome.err.splitlines()) <= 3


def test_too_little_memory_is_answered_with_the_remedy(lit_cnn):
    outcome = lit_cnn("fit", "--model", "LitMLP", "--model.hidden", "[10000000, 10000000]", *DATA[2:])
    print(outcome.err)
    assert outcome.code == 2
    assert "The memory is too small for this network: " in outcome.err
    assert "Use a smaller network. A smaller --data.image_size helps too." in outcome.err
    assert "Traceback" not in outcome.err


def test_a_gpu_with_too_little_memory_is_named(lit_cnn, monkeypatch):
    def too_large(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(library.LitLeNet, "training_step", too_large)
    outcome = lit_cnn("fit", *DATA)
    assert outcome.code == 2
    assert "The GPU's memory is too small for this run: CUDA out of memory." in outcome.err
    assert "Use a smaller --data.batch_size" in outcome.err

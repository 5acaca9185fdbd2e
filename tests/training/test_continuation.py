"""Resume within an accumulation window, and from an epoch's end with ReduceLROnPlateau: bit-equal to one go."""

import os
import signal
from pathlib import Path

import pytest
from loops import plain

from lit_cnn import LitClassifier
from lit_cnn.runs import checkpoint_io

SETTINGS = (
    "--model", "LitMLP", "--model.lr", "0.05", "--data", "SyntheticDataModule", "--data.image_size", "8",
    "--data.num_classes", "3", "--data.train_images", "200", "--data.test_images", "20", "--data.batch_size", "16",
    "--trainer.accelerator", "cpu", "--pictures.enabled", "false", "--test_after_fit", "false",
)  # fmt: skip
WINDOWS = (*SETTINGS, "--trainer.accumulate_grad_batches", "4", "--trainer.max_epochs", "3")


def last(name):
    checkpoint = checkpoint_io.load(Path("logs", name, "version_0", "checkpoints", "last.ckpt"))
    parts = ("global_step", "state_dict", "optimizer_states", "lr_schedulers", "train_metrics")
    return {part: checkpoint[part] for part in parts}


def assert_same(name, whole="whole"):
    assert plain(last(name), "") == plain(last(whole), "")


def terminate(module):
    os.kill(os.getpid(), signal.SIGTERM)


def stop(module):  # as max_time does
    module.trainer.should_stop = True


def fail(module):
    raise RuntimeError("the lights went out")


@pytest.mark.parametrize(
    ("end", "batch", "settings"),
    [
        (terminate, 6, ()),
        pytest.param(terminate, 11, (), marks=pytest.mark.slow),
        pytest.param(stop, 6, (), marks=pytest.mark.slow),
        (fail, 8, ("--trainer.val_check_interval", "6")),  # resumes from the validation, in the middle of a window
    ],
)
def test_a_run_that_ends_within_an_accumulation_window_goes_on_with_its_gradients(
    lit_cnn, monkeypatch, end, batch, settings
):
    assert lit_cnn("fit", *WINDOWS, *settings, "--name", "whole").code == 0
    batches, step = iter(range(1, 1000)), LitClassifier.training_step

    def ends(self, *args):
        if next(batches) == batch:
            end(self)
        return step(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(LitClassifier, "training_step", ends)
        lit_cnn("fit", *WINDOWS, *settings, "--name", "run")
    begun = checkpoint_io.load("logs/run/version_0/checkpoints/last.ckpt")
    assert begun["gradients"]
    Path("logs/run/version_0/results.json").unlink(missing_ok=True)  # else a run that was stopped counts as finished
    gone_on = lit_cnn("fit", *WINDOWS, *settings, "--name", "run", "--ckpt_path", "last")
    assert gone_on.code == 0, gone_on.err
    assert_same("run")
    assert not checkpoint_io.load("logs/run/version_0/checkpoints/last.ckpt")["gradients"]


@pytest.mark.parametrize("epochs", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 3))])
@pytest.mark.parametrize("monitor", ["val/nll", "train/nll"])
def test_a_plateau_is_seen_over_the_end_of_a_run(lit_cnn, monitor, epochs):
    arguments = f"{{patience: 0, factor: 0.5, threshold: 10, threshold_mode: abs, monitor: {monitor}}}"
    settings = (*SETTINGS, "--model.scheduler", "ReduceLROnPlateau", "--model.scheduler_args", arguments)
    assert lit_cnn("fit", *settings, "--trainer.max_epochs", "4", "--name", "whole").code == 0
    assert last("whole")["lr_schedulers"][0]["_last_lr"][0] < 0.05
    assert lit_cnn("fit", *settings, "--trainer.max_epochs", epochs, "--name", "run").code == 0
    longer = ("--trainer.max_epochs", "4", "--allow_changes", "true")
    assert lit_cnn("fit", "--resume", "logs/run/version_0", *longer).code == 0
    assert_same("run")

"""Values out of range: each is refused in at most three lines, and leaves no folder."""

from pathlib import Path

import pytest

import lit_cnn as package
from lit_cnn.cli.known_settings import settings_of
from lit_cnn.cli.limits import LIMITS
from lit_cnn.cli.quick_check import check
from lit_cnn.errors import ConfigError

REFUSED = {
    "trainer.accumulate_grad_batches": ["0", "-1", "2.5", "many", "nan", "100000000000000000000"],
    "trainer.val_check_interval": ["0", "0.0", "-1", ".nan", ".inf", "100000000000000000000", "{minutes: -1}"],
    "trainer.max_time": ["{minutes: -1}", "{hours: 0}", "00:00:00:00", "1:00"],
    "trainer.check_val_every_n_epoch": ["0", "-1", "1.5", "x"],
    "trainer.max_epochs": ["-2", "0.5", "1e3", "100000000000000000000", "[1]"],
    "trainer.min_epochs": ["-1", "nan"],
    "trainer.max_steps": ["-2", "None", "0.5", "100000000000000000000"],
    "trainer.min_steps": ["-1"],
    "trainer.limit_train_batches": ["-1", "-0.5", "nan", "inf", "1e300", "all"],
    "trainer.limit_val_batches": ["-1", "nan"],
    "trainer.limit_test_batches": ["-1", "nan"],
    "trainer.limit_predict_batches": ["-1", "nan"],
    "trainer.overfit_batches": ["-1", "nan", "1e300"],
    "trainer.num_sanity_val_steps": ["-2", "0.5"],
    "trainer.log_every_n_steps": ["-1", "0.5"],
    "trainer.gradient_clip_val": ["-1", "nan", "inf", "strong"],
    "trainer.reload_dataloaders_every_n_epochs": ["-1", "nan"],
    "trainer.num_nodes": ["0", "-1", "two", "100000000000000000000"],
    "trainer.precision": ["8", "half", "bf32"],
    "trainer.inference_mode": ["maybe", "2"],
    "trainer.detect_anomaly": ["5"],
    "trainer.barebones": ["[]"],
    "trainer.use_distributed_sampler": ["x"],
    "trainer.sync_batchnorm": ["x"],
    "trainer.deterministic": ["perhaps"],
    "trainer.benchmark": ["5"],
    "trainer.enable_checkpointing": ["x"],
    "trainer.enable_progress_bar": ["x"],
    "trainer.fast_dev_run": ["x", "1.5", "100000000000000000000"],
    "seed_everything": ["-1", "4294967296", "1.5", "x"],
    "checkpoint.save_top_k": ["-2", "0.5"],
    "checkpoint.every_n_epochs": ["-1", "x"],
    "checkpoint.every_n_train_steps": ["-1"],
    "checkpoint.filename": ["{epoch", "epoch}"],
    "data.batch_size": ["2.5", "100000000000000000000"],
    "data.val_size": ["half", "[1]"],
    "model.lr": ["fast", "[0.1]"],
    "model.label_smoothing": ["x"],
    "model.optimizer_args": ["3"],
    "model.scheduler_args": ["x"],
    "model.scheduler_interval": ["day"],
    "model.compile": ["fast"],
    "checkpoint_every": ["0", "10 min", "often"],
    "matmul_precision": ["low"],
    "tensorboard_axis": ["hours"],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in REFUSED.items() for value in values])
def test_a_wrong_value_is_answered_with_its_key_before_torch_is_needed(key, value):
    with pytest.raises(ConfigError) as refused:
        check(["fit", "quickstart", f"--{key}={value}"])
    assert str(refused.value).startswith(f"{key}: ")
    assert "(command line)" in str(refused.value)
    assert len(str(refused.value).splitlines()) <= 3


@pytest.mark.parametrize("key", LIMITS)
def test_the_smallest_and_the_largest_value_are_allowed(key):
    low, high = LIMITS[key]
    for value in (low[0] + 1 if isinstance(low, list) else low, high, 1, 2):
        check(["fit", "quickstart", f"--{key}={value}"])
    section, _, leaf = key.rpartition(".")
    assert not section or leaf in settings_of(section)[0]


def test_wrong_values_in_a_config_are_answered_with_its_name():
    Path("bad.yaml").write_text("trainer: {accumulate_grad_batches: 0}")
    with pytest.raises(ConfigError, match=r"accumulate_grad_batches: 0 \(bad.yaml\) has to be 1 or more"):
        check(["fit", "quickstart", "bad.yaml"])


SMALL = (
    "fit", "--model", "LitMLP", "--data", "SyntheticDataModule", "--data.image_size", "12", "--data.num_classes", "3",
    "--data.train_images", "100", "--data.test_images", "20", "--data.batch_size", "16", "--trainer.accelerator", "cpu",
    "--trainer.max_epochs", "1", "--pictures.enabled", "false",
)  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--trainer.val_check_interval", "7"], "`val_check_interval` (7) must be less than or equal to the number of"),
        (["--trainer.precision", "transformer-engine"], "transformer_engine"),
        (["--trainer.accelerator", "tpu"], "torch_xla"),
        (["--trainer.accelerator", "warp"], "has to be auto, cpu, gpu, cuda, mps or tpu."),
        (["--trainer.strategy", "dpp"], "strategy"),
        (["--trainer.profiler", "nope"], "trainer.profiler: there is no class nope (command line)."),
        (["--trainer.gradient_clip_algorithm", "nope"], "nope"),
        (["--trainer.limit_train_batches", "0.01"], "limit_train_batches"),
        (["--model.hidden", "[-1]"], "-1"),
        (
            ["--model.hidden", "3"],
            "model.hidden: 3 (command line) has to be a list such as [1, 2] (each a whole number from 1 up).",
        ),
        (["--model.optimizer_args", "{betas: [0.9]}"], "Adam refuses `optimizer_args` {'betas': [0.9]} with lr "),
        (["--model.scheduler", "LambdaLR"], "LambdaLR refuses `scheduler_args` {} with lr "),
        (
            ["--model.scheduler", "StepLR", "--model.scheduler_args", "{step_size: 0}"],
            "StepLR cannot make a step with `scheduler_args` {'step_size': 0",
        ),
    ],
)
def test_settings_that_lightning_and_torch_refuse_are_config_errors(lit_cnn, flags, message):
    refused = lit_cnn(*SMALL, *flags)
    assert refused.code == 2, refused.err
    assert message in refused.err
    assert "Traceback" not in refused.err
    assert not list(Path().glob("logs/*/*"))


def test_a_bug_of_ours_still_shows_its_traceback(lit_cnn, monkeypatch):
    of_ours: dict = {}
    exec(compile("def broken(*_): raise ValueError", package.__file__, "exec"), of_ours)
    monkeypatch.setattr("lit_cnn.callbacks.results.Results.on_fit_start", of_ours["broken"], raising=False)
    outcome = lit_cnn(*SMALL)
    assert outcome.code == 1
    assert "Traceback" in outcome.err

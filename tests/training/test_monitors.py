"""Monitors of checkpoints, early stopping and schedules: the right mode, or refused before the first step."""

import csv
import json
from pathlib import Path

import pytest
import torch
import yaml

from lit_cnn import LitMLP
from lit_cnn.runs import checkpoint_io
from lit_cnn.training.monitors import mode_of

SETTINGS = (
    "--model", "LitMLP", "--model.hidden", "[8]", "--data", "SyntheticDataModule", "--data.image_size", "12",
    "--data.num_classes", "3", "--data.train_images", "200", "--data.test_images", "30", "--data.noise", "0.5",
    "--trainer.accelerator", "cpu", "--trainer.max_epochs", "3", "--name", "run",
)  # fmt: skip
RUN = Path("logs/run/version_0")
EARLY = ("--trainer.callbacks+=EarlyStopping",)
BEST = ("--trainer.callbacks+=ModelCheckpoint",)
PLATEAU = ("--model.scheduler", "ReduceLROnPlateau")


class LitOwn(LitMLP):
    """A network of somebody's own, which logs a metric of its own."""

    def on_validation_epoch_end(self):
        super().on_validation_epoch_end()
        self.log("val/kappa", 1.0 - self.current_epoch / 10)


@pytest.mark.parametrize(
    ("metric", "mode"),
    [("val/acc", "max"), ("train/acc", "max"), ("val/nll", "min"), ("val/ece", "min"), ("my_val_loss", "min"),
     ("val/top5.accuracy", "max"), ("val/f1", "max"), ("val/kappa", None), ("epoch", None)],
)  # fmt: skip
def test_the_mode_is_that_of_the_metric(metric, mode):
    assert mode_of(metric) == mode


OF_A_FIGURE = pytest.param("val/ece", marks=pytest.mark.pictures)


@pytest.mark.parametrize("metric", ["val/nll", OF_A_FIGURE, "train/nll"])
def test_the_best_checkpoint_is_the_one_with_the_lowest_loss(lit_cnn, metric):
    outcome = lit_cnn("fit", *SETTINGS, "--model.lr", 0.5, "--checkpoint.monitor", metric, *EARLY, *(
        "--trainer.callbacks.monitor=val/acc", "--trainer.callbacks.patience=9"
    ))  # fmt: skip
    assert outcome.code == 0, outcome.err
    with (RUN / "metrics.csv").open() as file:
        values = [float(row[metric]) for row in csv.DictReader(file) if row.get(metric)]
    assert len(values) == 3
    results = json.loads((RUN / "results.json").read_text())
    assert results[metric] == pytest.approx(min(values), abs=1e-6)
    assert checkpoint_io.load(RUN / "checkpoints/best.ckpt")["epoch"] == values.index(min(values))
    config = yaml.safe_load((RUN / "config.yaml").read_text())
    assert config["checkpoint"]["mode"] == "min"
    assert config["trainer"]["callbacks"][0]["init_args"]["mode"] == "max"


def test_a_metric_that_is_typed_over_a_config_brings_its_mode(lit_cnn):
    assert lit_cnn("fit", *SETTINGS).code == 0
    again = lit_cnn("fit", "--config", RUN / "config.yaml", "--checkpoint.monitor", "val/nll", "--name", "other")
    assert again.code == 0, again.err
    assert yaml.safe_load(Path("logs/other/version_0/config.yaml").read_text())["checkpoint"]["mode"] == "min"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--checkpoint.monitor", "val_loss"), "checkpoint.monitor: val_loss is never logged. Did you mean 'val/nll'?"),
        (("--checkpoint.monitor", "val/ac"), "Did you mean 'val/acc'?"),
        (("--checkpoint.monitor", "test/acc"), "the test images must not choose anything"),
        (("--checkpoint.monitor", "train/loss"), "Use train/nll"),
        (("--checkpoint.monitor", "val/acc", "--data.val_size", "0"), "data.val_size is 0"),
        (("--data.val_size", "0.001"), "which is less than one of 200 training images"),
        (("--checkpoint.monitor", "val/nll", "--trainer.limit_val_batches", "0"), "trainer.limit_val_batches is 0"),
        (("--checkpoint.monitor", "val/ece", "--evaluation.enabled", "false"), "use val/nll"),
        (("--checkpoint.monitor", "val/ece", "--pictures.enabled", "false"), "use val/nll"),
        (("--checkpoint.monitor", "val/ece", "--trainer.logger", "false"), "use val/nll"),
        (("--checkpoint.monitor", "val/nll", "--checkpoint.mode", "max"), "max would choose the worst val/nll"),
        ((*EARLY, "--trainer.callbacks.monitor=val_loss"), "EarlyStopping.monitor: val_loss is never logged."),
        ((*EARLY, "--trainer.callbacks.monitor=val/acc", "--data.val_size", "0"), "data.val_size is 0"),
        ((*EARLY, "--trainer.callbacks.monitor=val/acc", "--trainer.callbacks.mode=min"), "choose the worst val/acc"),
        ((*BEST, "--trainer.callbacks.monitor=valid_accuracy"), "Did you mean 'val/acc'?"),
        ((*PLATEAU, "--model.scheduler_args", "{monitor: val_loss}"), "scheduler_args.monitor: val_loss is never"),
        ((*PLATEAU, "--model.scheduler_args", "{mode: max}"), "scheduler_args.mode: max would choose the worst"),
        ((*PLATEAU, "--data.val_size", "0"), "or use train/nll"),
        ((*PLATEAU, "--model.scheduler_interval", "step"), "Set `scheduler_interval` to epoch"),
        ((*PLATEAU, "--trainer.check_val_every_n_epoch", "null", "--trainer.val_check_interval", "9"), "in each epoch"),
        (("--model.scheduler", "OneCycleLR", "--model.scheduler_args", "{total_steps: 2}"), "but the run has 3"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("verb", ["fit", pytest.param("check", marks=pytest.mark.slow)])  # which begins as `fit` does
def test_monitors_that_are_never_logged_are_refused_before_the_first_step(lit_cnn, verb, flags, message):
    outcome = lit_cnn(verb, *SETTINGS, *flags)
    assert outcome.code == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) <= 3
    assert "epoch 1" not in outcome.out
    assert not list(Path("logs").rglob("version_*"))


def test_a_plan_refuses_it_too(lit_cnn):
    settings = {"model": "LitMLP", "data": "SyntheticDataModule", "trainer.max_epochs": 1}
    content = {"seeds": 1, "settings": settings | {"checkpoint.monitor": "val_loss"}}
    Path("grid.yaml").write_text(yaml.safe_dump(content))
    from lit_cnn.errors import ConfigError
    from lit_cnn.experiments.grid import read_experiment
    from lit_cnn.experiments.plan import plan

    with pytest.raises(ConfigError, match="val_loss is never logged"):
        plan(read_experiment("grid.yaml"), [])


def test_what_a_network_of_ones_own_logs_is_taken_at_its_word(lit_cnn):
    own = ("--model", f"{__name__}.LitOwn", *SETTINGS[2:])
    unsaid = lit_cnn("fit", *own, "--checkpoint.monitor", "val/kappa")
    assert unsaid.code == 2
    assert "Set checkpoint.mode to max if higher is better" in unsaid.err
    outcome = lit_cnn("fit", *own, "--checkpoint.monitor", "val/kappa", "--checkpoint.mode", "max")
    assert outcome.code == 0, outcome.err
    assert "; best epoch by val/kappa: 1" in outcome.out


def test_a_plateau_is_stepped_when_its_metric_is_new(lit_cnn):
    outcome = lit_cnn(
        "fit", *SETTINGS, *PLATEAU, "--model.scheduler_args", "{patience: 0, threshold: 9, monitor: val/acc}",
        "--trainer.max_epochs", "5", "--trainer.check_val_every_n_epoch", "2", "--model.lr", "0.01",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    state = checkpoint_io.load(RUN / "checkpoints/last.ckpt")["lr_schedulers"][0]
    assert state["last_epoch"] == 2  # after epochs 2 and 4
    assert state["mode"] == "max"
    assert state["_last_lr"] == [pytest.approx(0.001)]  # the second was no better
    assert torch.is_tensor(state["best"]) or state["best"] > 0


def test_a_plateau_goes_by_training_figures_where_there_are_no_others(lit_cnn):
    outcome = lit_cnn(
        "fit", *SETTINGS, *PLATEAU, "--model.scheduler_args", "{monitor: train/nll}", "--data.val_size", "0"
    )
    assert outcome.code == 0, outcome.err
    assert checkpoint_io.load(RUN / "checkpoints/last.ckpt")["lr_schedulers"][0]["last_epoch"] >= 2

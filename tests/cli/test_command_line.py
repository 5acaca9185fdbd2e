"""Arguments without a flag: configs, and runs, which contain their own config and weights."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import run_once

from lit_cnn.cli.command_line import expand
from lit_cnn.errors import CheckpointError, ConfigError

SMALL = (
    "--model", "LitMLP", "--data", "SyntheticDataModule", "--data.image_size", "12", "--data.num_classes", "3",
    "--data.train_images", "100", "--data.test_images", "20", "--data.batch_size", "16", "--trainer.accelerator", "cpu",
    "--trainer.max_epochs", "1", "--pictures.enabled", "false", "--name", "mine",
)  # fmt: skip


@pytest.fixture(scope="module")
def run_before(tmp_path_factory) -> Path:
    return run_once(tmp_path_factory.mktemp("run"), *SMALL)


@pytest.fixture
def run(run_before) -> Path:
    return shutil.copytree(run_before, Path("logs/mine/version_0"))


def test_a_run_is_tested_validated_and_predicted_by_its_name_alone(lit_cnn, run):
    expected = json.loads((run / "results.json").read_text())
    for given in (run, run.parent, run / "checkpoints" / "best.ckpt"):
        tested = lit_cnn("test", given)
        assert tested.code == 0, tested.err
        assert "───" not in tested.out  # Lightning's table
        folder = max(Path("logs/mine").glob("test_*"), key=lambda path: path.stat().st_mtime)
        assert json.loads((folder / "results.json").read_text())["test/acc"] == expected["test/acc"]
    assert lit_cnn("validate", run).code == 0
    assert "predictions " in lit_cnn("predict", run).out
    assert lit_cnn("test", run, "--data.eval_batch_size", "7").code == 0
    assert "───" in lit_cnn("test", run, "--verbose", "true").out


def test_fit_of_a_run_says_how_to_resume_and_how_to_train_it_again(lit_cnn, run):
    refused = lit_cnn("fit", run)
    assert refused.code == 2
    assert f"To resume it: python -m lit_cnn fit --resume {run}" in refused.err
    assert f"To train it again: python -m lit_cnn fit --config {run}/config.yaml" in refused.err


def test_a_checkpoint_without_its_config_needs_one(tmp_path):
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"has no config.yaml. Use --config CONFIG --ckpt_path"):
        expand(["test", str(tmp_path / "run")])
    with pytest.raises(CheckpointError, match="There is no checkpoint or run"):
        expand(["test", "nowhere"])


def test_configs_come_first_and_flags_keep_their_order():
    Path("my.yaml").write_text("trainer: {max_epochs: 1}")
    argv = ["fit", "--model.lr", "1", "my.yaml", "--model.lr=2", "--trainer.min_epochs", "-1", "--config=my.yaml"]
    configs = ["--config", "my.yaml", "--config", "my.yaml"]
    assert expand(argv) == ["fit", *configs, "--model.lr", "1", "--model.lr=2", "--trainer.min_epochs", "-1"]
    assert expand(["fit", "--print_config", "my.yaml"]) == ["fit", "--config", "my.yaml", "--print_config"]


def test_report_finds_an_experiment_by_its_name_or_file(lit_cnn, run):
    Path("mine.yaml").write_text("seeds: 2")
    for given in ("mine", "mine.yaml", "logs/mine"):
        reported = lit_cnn("report", given, "--format", "csv")
        assert reported.code == 0, reported.err
    assert "no such runs. Did you mean 'mine'?" in lit_cnn("report", "mime").err
    Path("other.yaml").write_text("seeds: 2")
    assert "Start them: python -m lit_cnn ablate other.yaml" in lit_cnn("report", "other.yaml").err
    assert "Start them: python -m lit_cnn ablate exercise" in lit_cnn("report", "exercise").err

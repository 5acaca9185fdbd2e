"""Two processes on the CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SETTINGS = (
    "--config", "quickstart", "--data.permute", "true", "--data.augment", "null", "--model.scheduler", "null",
    "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu", "--pictures.enabled", "false",
)  # fmt: skip


def fit(folder: Path, *argv: str) -> dict:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "lit_cnn", "fit", *SETTINGS, *argv, "--name", "run"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (results,) = folder.glob("logs/run/*/results.json")
    return json.loads(results.read_text())


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one = fit(tmp_path / "one", "--data.batch_size", "64")
    two = fit(tmp_path / "two", "--data.batch_size", "32", "--config", str(ROOT / "configs/overlays/ddp_cpu.yaml"))
    assert two["devices"] == 2
    assert (one["steps"], two["steps"]) == (57, 57)
    for name in ("train/nll", "val/nll", "test/nll"):
        assert two[name] == pytest.approx(one[name], rel=1e-3)
    assert two["test/acc"] == pytest.approx(one["test/acc"], abs=0.0011)  # one image of 1,000

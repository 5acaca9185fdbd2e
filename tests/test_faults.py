"""Faults of several processes and at any moment, with real processes and signals."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import run_together

pytestmark = pytest.mark.slow

SETTINGS = (
    "--model", "LitMLP", "--data", "SyntheticDataModule", "--data.image_size", "12", "--data.num_classes", "3",
    "--data.test_images", "60", "--trainer.accelerator", "cpu", "--pictures.enabled", "false",
)  # fmt: skip


def test_six_runs_of_one_config_started_together_finish_in_six_folders():
    run_together(6, "fit", *SETTINGS, "--data.train_images", "600", "--trainer.max_epochs", "2", "--name", "run")
    folders = [f"version_{i}" for i in range(6)]
    assert sorted(path.name for path in Path("logs/run").iterdir()) == folders
    results = [json.loads(Path("logs/run", folder, "results.json").read_text()) for folder in folders]
    assert len({r["test/nll"] for r in results}) == 1
    assert all(Path("logs/run", folder, "checkpoints/best.ckpt").is_file() for folder in folders)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_at_any_moment_ends_a_run_within_five_seconds(number, code):
    """From the imports on, of which the first third of the time is. On a slow or busy machine it may take longer."""
    rng = random.Random(int(number))
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    five_seconds = max(5, 2 * (time.monotonic() - start))
    for attempt, share in enumerate((0.1, 0.4, 0.7, 1.0)):
        settings = (*SETTINGS, "--data.train_images", "60000", "--trainer.max_epochs", "50", "--name", f"run{attempt}")
        command = [sys.executable, "-m", "lit_cnn", "fit", *settings]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
        ) as run:  # fmt: skip
            time.sleep(0.5 + share * rng.uniform(4, 8))
            run.send_signal(number)
            start = time.monotonic()
            out = run.communicate(timeout=60)[0]
        assert run.returncode == code, out
        assert time.monotonic() - start < five_seconds, out
        assert "Traceback" not in out
        folder = Path("logs") / f"run{attempt}" / "version_0"
        kept = (folder / "checkpoints" / "last.ckpt").exists()
        assert kept == (f"fit --resume {folder}" in out) == folder.exists(), out

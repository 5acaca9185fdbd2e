"""Training beside other programs: alone, beside a busy process, and two at once; torch's threads and lit_cnn's.

The cases take turns, in processes of their own; each training is timed by itself, without imports and test.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from subprocess import DEVNULL, PIPE
from tempfile import TemporaryDirectory
from typing import Any

from lit_cnn.cores import cores

MNIST_LIKE = ["--data", "SyntheticDataModule", "--data.image_size", "28", "--data.in_channels", "1"]
CIFAR_LIKE = ["--data", "SyntheticDataModule"]
RUNS = {
    "quickstart": ["quickstart", "--trainer.max_epochs", "6"],
    "cnn_mnist": ["cnn_mnist", *MNIST_LIKE, "--data.train_images", "15000", "--trainer.max_epochs", "1"],
    "lenet_cifar": ["lenet_cifar", *CIFAR_LIKE, "--data.train_images", "10000", "--trainer.max_epochs", "1"],
}
# Before: torch's own number of threads and way of waiting; where these are set we set nothing.
POLICIES = {"before": {"OMP_WAIT_POLICY": "", "OMP_NUM_THREADS": str(cores())}, "after": dict[str, str]()}
CASES = {"alone": (1, 0), "beside a busy process": (1, 1), "two trainings": (2, 0), "three trainings": (3, 0)}


def measure(repetitions: int = 3, only: str = "") -> Iterator[tuple[str, dict[str, float]]]:
    """Yields the seconds of a training in each case, before and after, and each over the one alone before."""
    for run, arguments in RUNS.items():
        if not run.startswith(only):
            continue
        taken: dict[tuple[str, str], list[float]] = {}
        for _ in range(repetitions):
            for case, (trainings, busy) in CASES.items():
                for policy, environment in POLICIES.items():
                    taken.setdefault((case, policy), []).append(_seconds(arguments, environment, trainings, busy))
        alone = median(taken["alone", "before"])
        for case in CASES:
            seconds = {policy: median(taken[case, policy]) for policy in POLICIES}
            ratios = {f"{policy} over alone": round(value / alone, 2) for policy, value in seconds.items()}
            yield f"{run}, {case}", {policy: round(value, 2) for policy, value in seconds.items()} | ratios


def _seconds(arguments: list[str], environment: dict[str, str], trainings: int, busy: int) -> float:
    """Returns the mean seconds of trainings that run at the same time, beside so many busy processes."""
    own = os.environ | environment
    with TemporaryDirectory() as folder:
        others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
        try:
            command = [sys.executable, "-m", "lit_cnn", "fit", *arguments, "--test_after_fit", "false"]
            command += ["--trainer.accelerator", "cpu", "--trainer.default_root_dir", folder]
            started: list[Any] = [
                subprocess.Popen(command, env=own, stdout=DEVNULL, stderr=PIPE) for _ in range(trainings)
            ]
            for one in started:
                _, errors = one.communicate()
                if one.returncode:
                    raise RuntimeError(errors.decode())
        finally:
            for other in others:
                other.kill()
                other.wait()
        results = [json.loads(path.read_text("utf-8")) for path in Path(folder).rglob("results.json")]
    return sum(one["fit_seconds"] for one in results) / len(results)

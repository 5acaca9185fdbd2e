"""Seconds until the command line answers, each in a process of its own."""

import subprocess
import sys
from statistics import median
from time import perf_counter
from typing import Any

COMMANDS = {
    "import lightning and torch": ["-c", "import torch, lightning.pytorch, lightning.pytorch.cli"],
    "import what fit needs": ["-c", "import lit_cnn.cli.trainer"],
    "--help": ["-m", "lit_cnn", "--help"],
    "models resnet18": ["-m", "lit_cnn", "models", "resnet18"],
    "fit --print_config": ["-m", "lit_cnn", "fit", "--config", "quickstart", "--print_config"],
}


def measure(repetitions: int = 5) -> dict[str, Any]:
    """Returns seconds for each command, and what fit's imports take over those of lightning and torch."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for repetition in range(repetitions + 1):
        for name, command in COMMANDS.items():
            start = perf_counter()
            subprocess.run([sys.executable, "-W", "ignore", *command], capture_output=True, check=True)
            if repetition:  # the first reads the files from the disk
                taken[name].append(perf_counter() - start)
    found: dict[str, Any] = {name: {"seconds": round(median(values), 2)} for name, values in taken.items()}
    base, ours = (taken[name] for name in ("import lightning and torch", "import what fit needs"))
    ratios = [our / their for our, their in zip(ours, base, strict=True)]
    found["fit's imports over lightning's"] = {"ratio": round(median(ratios), 3)}
    return found

"""Start-up: seconds until the command line answers, each command in a new process."""

import os
import subprocess
import sys
from statistics import median
from time import perf_counter
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

SYNTHETIC = ["--data", "SyntheticDataModule"]
IMPORTS, OURS, FIRST_STEP = "import lightning and torch", "import what fit needs", "fit to its first step"
COMMANDS = {
    IMPORTS: ["-c", "import torch, lightning.pytorch, lightning.pytorch.cli"],
    OURS: ["-c", "import lit_cnn.cli.trainer"],
    FIRST_STEP: [
        *("-m", "lit_cnn", "fit", "quickstart"),
        *("--trainer.callbacks", "scripts.benchmarks.startup.EndAfterOneStep"),
    ],
    "--help": ["-m", "lit_cnn", "--help"],
    "models resnet18": ["-m", "lit_cnn", "models", "resnet18"],
    "fit --print_config": ["-m", "lit_cnn", "fit", "--config", "quickstart", "--print_config"],
}
WRONG = {
    "an unknown setting": ["quickstart", "--model.learning_rat", "0.1"],
    "an unknown optimizer": ["quickstart", "--model.optimizer", "Addam"],
    "a learning rate below 0": ["quickstart", "--model.lr", "-1"],
    "a layer without units": ["--model", "LitMLP", "--model.hidden", "[0]", *SYNTHETIC],
    "an unknown logger": ["quickstart", "--trainer.logger", "WandLogger"],
    "devices that are none": ["quickstart", "--trainer.devices", "x"],
}


class EndAfterOneStep(Callback):
    """Ends the process after the first step of a training."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:  # noqa: D102
        sys.stdout.flush()
        os._exit(0)


def measure(repetitions: int = 5) -> dict[str, Any]:
    """Returns seconds for each command, and those of fit's imports and first step over Lightning's and torch's."""
    wrong = {f"error: {name}": ["-m", "lit_cnn", "fit", *arguments] for name, arguments in WRONG.items()}
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS | wrong}
    environment = os.environ | {"LIT_CNN_ALLOW": "scripts"}
    for repetition in range(repetitions + 1):
        for name, command in (COMMANDS | wrong).items():
            start = perf_counter()
            done = subprocess.run([sys.executable, "-W", "ignore", *command], capture_output=True, env=environment)
            if done.returncode != 2 * (name in wrong):
                raise RuntimeError(f"{name}: {done.stderr.decode()}")
            if repetition:  # the first reads the files from the disk
                taken[name].append(perf_counter() - start)
    found: dict[str, Any] = {name: {"seconds": round(median(values), 2)} for name, values in taken.items()}
    for name in (OURS, FIRST_STEP):
        ratios = [ours / theirs for ours, theirs in zip(taken[name], taken[IMPORTS], strict=True)]
        found[f"{name}, over {IMPORTS}"] = {"ratio": round(median(ratios), 3)}
    return found

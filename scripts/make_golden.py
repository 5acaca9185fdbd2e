"""Writes the losses of the first 100 steps of two runs, for tests/training/test_golden.py.

    python scripts/make_golden.py

A change without new maths leaves them to the last bit; one of the maths makes them anew, and its commit says why.
Kernels differ between versions of torch and kinds of CPU, so each trace is kept under both: run it where the test
skips, and the trace of that machine is added.
"""

import csv
import json
import platform
import re
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "golden"
STEPS = 100
RUNS = {
    "quickstart": ["--config", "quickstart"],
    "cnn_mnist_permuted": [
        *("--config", "cnn_mnist_permuted", "--data", "SampleDataModule", "--data.permute", "true"),
        *("--data.val_size", "0", "--data.batch_size", "64", "--trainer.max_epochs", "2"),
    ],
}


def key() -> str:
    """Returns what the last bits depend on: torch's version, the CPU's maker, and the instructions of the kernels."""
    import torch

    about = Path("/proc/cpuinfo")
    found = re.search(r"vendor_id\s*:\s*(\S+)", about.read_text("utf-8")) if about.exists() else None
    maker = found[1] if found else platform.machine()  # MKL takes other ways on other makers' CPUs
    return f"torch {torch.__version__.partition('+')[0]}, {maker} {torch.backends.cpu.get_cpu_capability()}"


def trace(name: str, folder: Path) -> list[float]:
    """Returns the loss of each step of a run, in nats per image, at one thread.

    Args:
        name: One of `RUNS`.
        folder: Where the run goes.
    """
    import torch

    from lit_cnn.cli.main import main

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        code = main(
            [
                *("fit", *RUNS[name], "--trainer.max_steps", str(STEPS), "--trainer.log_every_n_steps", "1"),
                *("--trainer.accelerator", "cpu", "--trainer.default_root_dir", str(folder), "--name", name),
                *("--test_after_fit", "false", "--pictures.enabled", "false"),
                *("--trainer.enable_progress_bar", "false", "--trainer.enable_checkpointing", "false"),
            ]
        )
    finally:
        torch.set_num_threads(threads)
    assert code == 0, f"the run of {name} ended with {code}"
    with (folder / name / "version_0" / "metrics.csv").open(encoding="utf-8") as file:
        losses = [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]
    assert len(losses) == STEPS
    return losses


def write() -> None:
    """Adds this machine's traces, and says what was written."""
    FOLDER.mkdir(exist_ok=True)
    for name in RUNS:
        path = FOLDER / f"{name}.json"
        traces = json.loads(path.read_text("utf-8")) if path.exists() else {}
        with tempfile.TemporaryDirectory() as folder:
            traces[key()] = trace(name, Path(folder))
        path.write_text(json.dumps(traces, indent=0) + "\n", "utf-8")
        print(f"{path.relative_to(ROOT)}: {key()}, loss {traces[key()][0]:.4f} to {traces[key()][-1]:.4f}")


if __name__ == "__main__":
    write()

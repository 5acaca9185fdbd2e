"""Benchmarks: lit_cnn against the usual alternative, measured alternately within one run.

    python scripts/bench.py SUBJECT [--only CASE] [--repetitions N] [--json FILE]

data           images per second over torchvision's DataLoader
augmentations  each augmentation over its per-image form
step           what the machine's switches bring: channels_last, fused optimizers, memory kept, bfloat16, compile; the
               share of the keyed draws in a step
fit            `fit` with everything on over a bare loop, over Lightning's own loop and over the usual Lightning script
gpu            `fit` on a GPU with resident data over a bare loop on it
evaluation     the validation within `fit` over a bare loop
export         onnxruntime over PyTorch, for exported networks
memory         peak memory over that of data and network
scale          the cost of an image out of 5 thousand and out of 5 million
startup        imports, the help, the first step, and the answers to wrong commands
beside         trainings alone, beside a busy process and beside each other, without and with the policy of waiting
               threads
board          a run with figures, health and graph over one without (above 1: that they take time)

Ratios above 1 say that lit_cnn is faster. All data is made up, of the true size.
"""

import argparse
import importlib
import json
import os
import platform
import sys
import warnings
from inspect import signature
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

SUBJECTS = [
    "data",
    "augmentations",
    "step",
    "fit",
    "gpu",
    "evaluation",
    "export",
    "memory",
    "scale",
    "startup",
    "beside",
    "board",
]


def main() -> None:
    """Measures one subject and prints it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subject", choices=SUBJECTS)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--repetitions", type=int, default=5, help="measurements of each, 5 by default")
    parser.add_argument("--only", help="only the cases whose names begin so, such as 'VGG'")
    args = parser.parse_args()

    import torch

    from lit_cnn.training.hardware import forget_nvml, keep_memory

    warnings.simplefilter("ignore")
    if args.subject not in ("memory", "startup", "beside"):
        keep_memory()  # for both sides, as `fit` does
        forget_nvml()
    print(f"{args.subject}: {os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}", flush=True)
    module = importlib.import_module(f"scripts.benchmarks.{args.subject}")
    only = {"only": args.only} if args.only else {}
    if only and "only" not in signature(module.measure).parameters:
        parser.error(f"{args.subject} has no cases to choose among with --only")
    measured = module.measure(args.repetitions, **only)
    found = {}
    for name, figures in measured.items() if isinstance(measured, dict) else measured:
        found[name] = figures
        items = figures.items() if isinstance(figures, dict) else [("", figures)]
        print(f"{name:44}", "  ".join(f"{key} {value}".strip() for key, value in items), flush=True)
    if args.json:
        args.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()

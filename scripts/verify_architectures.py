"""Compares every network with torchvision and its paper, and takes a training step with each; prints two tables.

    python scripts/verify_architectures.py ['resnet*' ...] [--table networks|steps]

networks  parameters beside torchvision's figure or the paper's; MACs beside torch.utils.flop_counter; the
          largest receptive field beside the pixels that gradients reach; and for those that torchvision has, with the
          same seed: state dict, loss and gradients of a training batch, logits in evaluation
steps     one optimizer step in float32 and one in bf16-mixed at each size of images: every parameter has a gradient,
          everything is finite, checkpoint and state dict come back with the same weights and logits

A cell says "equal", or the two figures that differ. Exit code 1 if there is one that differs.
"""

import argparse
import fnmatch
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from tqdm import tqdm

from lit_cnn.models import ARCHITECTURES
from scripts.verification import against_torchvision, fields, sizes, steps
from scripts.verification.cells import Cell

NETWORKS = [
    *("name", "parameters", "the same as"),
    *("MACs at 32", "largest field, pixels", "MACs at 224", "largest field, pixels"),
    *("state dict", "logits", "loss", "gradients"),
]
NONE = "-"


def network_row(name: str) -> list[Cell | str]:
    """Returns a network's line of the first table: its small stem, or only one, then its ImageNet stem."""
    stems = ARCHITECTURES[name].stems
    reference = sizes.reference_of(name)
    row: list[Cell | str] = [name, NONE, NONE]
    if reference is not None:
        row = [name, sizes.compare_parameters(name, reference), reference.source]
    for stem, side in (("small" if stems else None, 32), ("imagenet", 224)):
        settings: dict[str, Any] = {"stem": stem} if stem else {}
        fits = stem is None or stem in stems
        row += (
            [sizes.compare_macs(name, (3, side, side), **settings), _field(name, settings)] if fits else ([NONE, NONE])
        )
    if name not in sizes.SHARED:
        return row + 4 * [NONE]
    runs = against_torchvision.compare_runs(name)
    return [*row, against_torchvision.compare_state_dicts(name), *(runs[k] for k in ("logits", "loss", "gradients"))]


def _field(name: str, settings: dict[str, Any]) -> Cell | str:
    seen = fields.look(name, fields.large_enough(name, **settings) or 32, **settings)
    if not seen:
        return NONE  # fully connected
    shown = next((s for s in seen if s.expected != s.found), seen[-1])
    expected, found = (
        " x ".join(str(last - first + 1) for first, last in ends) for ends in (shown.expected, shown.found)
    )
    return Cell(expected, found)


def step_row(name: str) -> list[Cell | str]:
    """Returns a network's line of the second table."""
    row: list[Cell | str] = [name]
    for shape in steps.SHAPES:
        settings = steps.settings_for(name, shape)
        row.append(NONE if settings is None else _said(steps.step(name, shape, **settings)))
    return row


def _said(wrong: list[str]) -> Cell | str:
    return Cell("; ".join(wrong[:3]), "equal") if wrong else "equal"


def print_table(head: Sequence[str], names: list[str], row_of: Callable[[str], list[Cell | str]]) -> int:
    """Prints a table line by line, with its sum below; returns how many cells differ."""
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    cells: list[Cell | str] = []
    for name in tqdm(names, unit="network"):
        row = row_of(name)
        tqdm.write("| " + " | ".join(map(str, row)) + " |", file=sys.stdout)
        sys.stdout.flush()
        cells += row
    differ = sum(isinstance(cell, Cell) and not cell.equal for cell in cells)
    equal = sum((isinstance(cell, Cell) and cell.equal) or cell == "equal" for cell in cells)
    print(f"\n{len(names)} networks: {equal} cells equal, {differ} differ.\n", flush=True)
    return differ


def main() -> int:
    """Prints the tables; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pattern", nargs="*", default=["*"], help="names, all by default")
    parser.add_argument("--table", choices=["networks", "steps"], help="which, both by default")
    given = parser.parse_args()
    for library in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(library).setLevel(logging.WARNING)
    names = [name for name in ARCHITECTURES if any(fnmatch.fnmatch(name, p) for p in given.pattern)]
    differ = 0
    if given.table != "steps":
        differ += print_table(NETWORKS, names, network_row)
    if given.table != "networks":
        shapes = ["{} x {} x {}".format(*shape) for shape in steps.SHAPES]
        differ += print_table(["name", *shapes], names, step_row)
    return int(differ > 0)


if __name__ == "__main__":
    torch.manual_seed(0)
    sys.exit(main())

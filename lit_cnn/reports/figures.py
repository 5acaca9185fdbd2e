"""Figures of groups of runs: training curves, and accuracy along the numeric axes of an experiment."""

import numpy as np

from lit_cnn.plots.comparisons import trends
from lit_cnn.plots.curves import ENOUGH, Curve, curves
from lit_cnn.reports.document import Block, Picture
from lit_cnn.reports.groups import Group

ALONG = {"epoch": "epoch", "step": "optimizer steps", "seconds": "seconds of training"}
NAMES = {  # axes in words, for figures; other axes have their last word
    "data.permute_block": "block size k (pixels)",
    "data.batch_size": "batch size (images)",
    "model.lr": "learning rate",
    "model.kernel_size": "kernel size (pixels)",
    "model.label_smoothing": "label smoothing",
    "trainer.max_epochs": "epochs of training",
}
PANELS = {"accuracy, %": "acc", "NLL, nats per image": "nll"}
STEPS = 3  # minimum number of values of an axis


def training_curves(groups: list[Group], tag: str = "") -> list[Block]:
    """Returns the curves of accuracy and NLL by epoch; for several groups, also by step and by seconds.

    For a run of one epoch it is the loss by step. The names of the files end with the tag.
    """
    if not any(len(run.epochs()) > 1 for group in groups for run in group.runs):
        losses = {group.label: found for group in groups if (found := _losses(group))}
        if not losses:
            return []
        title = "loss of the batches during training"
        figure = curves({"loss of a batch": losses}, "optimizer steps", title)
        return [Picture(f"loss_by_step{tag}", f"The {title}{_about_bands(groups)}.", figure)]
    blocks: list[Block] = []
    for along, xlabel in list(ALONG.items())[: None if len(groups) > 1 else 1]:
        panels: dict[str, dict[str, list[Curve]]] = {}
        for ylabel, metric in PANELS.items():
            for group in groups:
                labels = ("", "") if len(groups) > 1 else ("training", "validation")
                found = _curve(group, along, f"train/{metric}", labels[0])
                if found := found + _curve(group, along, f"val/{metric}", labels[1]):
                    panels.setdefault(ylabel, {})[group.label] = found
        if panels:
            figure = curves(panels, xlabel, f"accuracy and NLL by {xlabel}")
            caption = f"Accuracy and NLL by {xlabel}. Dashed: training; solid: validation{_about_bands(groups)}."
            blocks.append(Picture(f"curves_by_{along}{tag}", caption, figure))
    return blocks


def _about_bands(groups: list[Group]) -> str:
    drawn = any(len(group.runs) >= ENOUGH for group in groups)
    return f"; bands are one standard deviation over {ENOUGH} seeds or more" if drawn else ""


def _curve(group: Group, along: str, metric: str, label: str) -> list[Curve]:
    scale = 100 if metric.endswith("/acc") else 1
    runs = [[row for row in run.epochs() if metric in row and along in row] for run in group.runs]
    tables = [{row["epoch"]: (row[along], scale * row[metric]) for row in rows} for rows in runs]
    return _through(tables, metric.startswith("train"), label)


def _losses(group: Group) -> list[Curve]:
    runs = [[row for row in run.rows if "train/loss" in row] for run in group.runs]
    return _through([{row["step"]: (row["step"] + 1, row["train/loss"]) for row in rows} for rows in runs])


def _through(tables: list[dict[float, tuple[float, float]]], dashed: bool = False, label: str = "") -> list[Curve]:
    """Returns the curve through the points that all runs have, if any; x is the mean over the runs."""
    shared = sorted(set.intersection(*map(set, tables))) if tables else []
    if not shared:
        return []
    points = np.array([[table[key] for key in shared] for table in tables])
    return [Curve(points[:, :, 0].mean(axis=0).tolist(), points[:, :, 1], dashed, label)]


def name_of(axis: str) -> str:
    """Returns the words for an axis of an experiment."""
    return NAMES.get(axis, axis.rpartition(".")[2].replace("_", " "))


def along_axes(groups: list[Group], tag: str) -> list[Block]:
    """Returns a figure for each axis of at least three numbers, with a line for each combination of the other axes."""
    blocks: list[Block] = []
    for axis in groups[0].labels if all(group.labels.keys() == groups[0].labels.keys() for group in groups) else ():
        steps = {group.labels[axis]: group.labels[axis].rpartition("=")[2] for group in groups}
        try:
            ordered = sorted(steps.values(), key=float)
        except ValueError:  # no numbers
            continue
        if len(steps) < STEPS:
            continue
        lines: dict[str, dict[str, list[float]]] = {}
        for group in groups:
            others = [label for other, label in group.labels.items() if other != axis]
            line = lines.setdefault(", ".join(others) or "all", {})
            line[steps[group.labels[axis]]] = [100 * v for v in group.values("test/acc").values()]
        title = f"test accuracy by {name_of(axis)}"
        figure = trends(lines, ordered, name_of(axis), "test accuracy, %", title)
        spreads = ", and one standard deviation over the seeds" * any(len(group.runs) >= ENOUGH for group in groups)
        name = f"by_{axis.rpartition('.')[2]}{tag}".replace(" ", "_")  # Markdown's links have no spaces
        blocks.append(Picture(name, f"The {title}: means{spreads}.", figure))
    return blocks

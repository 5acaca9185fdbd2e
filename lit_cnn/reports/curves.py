"""Training curves of groups of runs."""

import numpy as np

from lit_cnn.plots.curves import Curve, curves
from lit_cnn.reports.document import Block, Picture
from lit_cnn.reports.groups import Group
from lit_cnn.runs.record import Row, Run

ALONG = {"epoch": "epoch", "step": "optimizer steps", "seconds": "seconds of training"}
PANELS = {"accuracy, %": "acc", "NLL, nats per image": "nll"}


def course(groups: list[Group]) -> list[Block]:
    """Returns the curves of accuracy and NLL by epoch, step and seconds; for a single epoch, the loss by step."""
    if not any(len(run.epochs()) > 1 for group in groups for run in group.runs):
        lines = {group.label: [curve] for group in groups if (curve := _loss(group))}
        if not lines:
            return []
        title = "loss of the batches in the course of the training"
        figure = curves({"loss of a batch": lines}, "optimizer steps", title)
        return [Picture("loss_by_step", f"The {title}; bands are one standard deviation over the seeds.", figure)]
    blocks: list[Block] = []
    for along, xlabel in ALONG.items():
        panels = {ylabel: _panel(groups, along, figure) for ylabel, figure in PANELS.items()}
        panels = {ylabel: lines for ylabel, lines in panels.items() if lines}
        if panels:
            caption = (
                f"Accuracy and NLL by {xlabel}: validation as lines, training dashed; bands are one standard "
                "deviation over the seeds."
            )
            figure = curves(panels, xlabel, f"accuracy and NLL by {xlabel}")
            blocks.append(Picture(f"curves_by_{along}", caption, figure))
    return blocks


def _panel(groups: list[Group], along: str, figure: str) -> dict[str, list[Curve]]:
    lines = {}
    for group in groups:
        found = [_curve(group.runs, along, f"{split}/{figure}") for split in ("val", "train")]
        both = [curve for curve in found if curve is not None]
        if both:
            lines[group.label] = both
    return lines


def _curve(runs: list[Run], along: str, figure: str) -> Curve | None:
    """Returns a metric at the epochs that all runs have; seconds are the mean over the runs."""
    tables: list[dict[float, Row]] = []
    for run in runs:
        tables.append({row["epoch"]: row for row in run.epochs() if figure in row and along in row})
    shared = sorted(set.intersection(*(set(table) for table in tables))) if tables else []
    if not shared:
        return None
    x = np.mean([[table[epoch][along] for epoch in shared] for table in tables], axis=0)
    values = np.array([[table[epoch][figure] for epoch in shared] for table in tables])
    scale = 100 if figure.endswith("/acc") else 1
    return Curve(x.tolist(), scale * values, dashed=figure.startswith("train"))


def _loss(group: Group) -> Curve | None:
    tables = [{row["step"]: row["train/loss"] for row in run.losses()} for run in group.runs]
    shared = sorted(set.intersection(*(set(table) for table in tables))) if tables else []
    if not shared:
        return None
    return Curve([step + 1 for step in shared], np.array([[table[step] for step in shared] for table in tables]))

"""Accuracy along the numeric axes of an experiment."""

from lit_cnn.plots.comparisons import trends
from lit_cnn.reports.document import Block, Picture
from lit_cnn.reports.groups import Group

STEPS = 3  # minimum number of values of an axis


def along_axes(groups: list[Group], tag: str) -> list[Block]:
    """Returns a figure for each axis of at least three numbers, with a line for each combination of the other axes."""
    blocks: list[Block] = []
    for axis in groups[0].labels if all(group.labels.keys() == groups[0].labels.keys() for group in groups) else ():
        steps = list(dict.fromkeys(group.labels[axis] for group in groups))
        numbers = {step: number for step in steps if (number := _number(step)) is not None}
        if len(numbers) < max(STEPS, len(steps)):
            continue
        lines: dict[str, dict[str, list[float]]] = {}
        for group in groups:
            others = [label for other, label in group.labels.items() if other != axis]
            line = lines.setdefault(", ".join(others) or "all", {})
            line[group.labels[axis].rpartition("=")[2]] = [100 * v for v in group.values("test/acc").values()]
        ordered = [step.rpartition("=")[2] for step in sorted(numbers, key=lambda step: numbers[step])]
        title = f"test accuracy by {axis}"
        figure = trends(lines, ordered, axis, "test accuracy, %", title)
        name = f"by_{axis.rpartition('.')[2]}{tag}"
        blocks.append(Picture(name, f"The {title}: means, and one standard deviation over the seeds.", figure))
    return blocks


def _number(label: str) -> float | None:
    try:
        return float(label.rpartition("=")[2])
    except ValueError:
        return None

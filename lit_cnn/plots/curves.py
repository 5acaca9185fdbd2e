"""Training curves: mean over seeds, with a band of one standard deviation."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lit_cnn.plots.text import LEGEND, Figure, shortened

ENOUGH = 3  # minimum number of runs for a band, bar or interval
WIDTH = 9.6  # inches of every figure of a report


class Curve(NamedTuple):
    """A metric of the runs of one variant, at the points that all runs have."""

    x: Sequence[float]  # epochs, steps or seconds
    values: np.ndarray  # `[runs, points]`
    dashed: bool = False  # it belongs to another curve of the same colour
    label: str = ""  # in the legend; by default the name of the variant, and none for a dashed curve


def colours(names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Returns a colour for each name."""
    unique = dict.fromkeys(names)
    palette = colormaps["tab10" if len(unique) <= 10 else "tab20"]
    return {name: palette(i % palette.N) for i, name in enumerate(unique)}


def add_legend(figure: Figure, axes: Iterable[Axes]) -> None:
    """Adds a legend beside the axes, with each label once."""
    handles: dict[str, Artist] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    names = [shortened(label, LEGEND) for label in handles]
    figure.legend([*handles.values()], names, loc="outside right upper", fontsize=8)


def curves(panels: Mapping[str, Mapping[str, Sequence[Curve]]], xlabel: str, title: str) -> Figure:
    """Training curves: a panel for each metric, with the mean over the runs as a line.

    A solid line of 3 runs or more has a band of one standard deviation. `panels` has the curves of each variant, by the
    name of the metric.
    """
    colour = colours([name for lines in panels.values() for name in lines])
    figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (ylabel, lines) in zip(axes, panels.items(), strict=True):
        for name, group in lines.items():
            for curve in group:
                _draw(axis, curve, colour[name], name)
        axis.set(xlabel=xlabel, ylabel=ylabel)
        axis.grid(alpha=0.3)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    add_legend(figure, axes)
    if len(panels) == 1:
        axes[0].set_title(title, fontsize=11)
    else:
        figure.suptitle(title, fontsize=11)
    return figure


def _draw(axis: Axes, curve: Curve, colour: tuple[float, ...], name: str) -> None:
    mean = curve.values.mean(axis=0)
    style, marker = "--" if curve.dashed else "-", "o" if len(curve.x) < 15 else None
    label = curve.label or ("_dashed" if curve.dashed else name)  # matplotlib leaves out labels with _
    axis.plot(curve.x, mean, label=label, color=colour, linestyle=style, marker=marker, markersize=3)
    if len(curve.values) >= ENOUGH and not curve.dashed:
        spread = curve.values.std(axis=0, ddof=1)
        axis.fill_between(curve.x, mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0)

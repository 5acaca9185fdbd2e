"""Comparison charts of variants: intervals of a metric, metric against cost, and metric by a setting."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from lit_cnn.plots.curves import ENOUGH, WIDTH, add_legend, colours
from lit_cnn.plots.text import LEGEND, Figure, shortened

MARGIN = 2.0  # factor by which an axis of costs goes beyond the smallest and the largest


def interval_chart(
    values: Mapping[str, Sequence[float]], intervals: Mapping[str, tuple[float, float] | None], xlabel: str, title: str
) -> Figure:
    """Interval chart: a row for each variant, its runs as dots, and the interval of their mean, if any, as a bar."""
    names = list(values)
    figure = Figure(figsize=(WIDTH, 0.32 * len(names) + 1.4), layout="constrained")
    axis = figure.subplots()
    colour = colours(names)
    for row, (name, found) in enumerate(values.items()):
        axis.plot(found, [row] * len(found), "o", color=colour[name], alpha=0.7, markersize=5, zorder=3)
    low, high = axis.get_xlim()  # range of the runs; intervals may extend it by as much on each side
    for row, name in enumerate(names):
        if interval := intervals.get(name):
            middle = mean(values[name])
            reach = [[middle - interval[0]], [interval[1] - middle]]
            axis.errorbar(middle, row, xerr=reach, color="black", capsize=4, marker="|", linewidth=1.5)
    wide_low, wide_high = axis.get_xlim()
    axis.set_xlim(max(wide_low, 2 * low - high), min(wide_high, 2 * high - low))
    axis.set_yticks(range(len(names)), [shortened(name, LEGEND) for name in names], fontsize=8)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set(xlabel=xlabel)
    axis.grid(alpha=0.3, axis="x")
    axis.set_title(title, fontsize=11)
    return figure


def cost_chart(
    costs: Mapping[str, Mapping[str, float]],
    values: Mapping[str, float],
    spreads: Mapping[str, float],
    fronts: Mapping[str, Sequence[str]],
    ylabel: str,
    title: str,
) -> Figure:
    """Cost chart: a panel for each cost, with a dot for each variant and a line through the Pareto front.

    `costs` and `fronts` have the names of the costs as keys. The costs, values of the metric and standard deviations
    have the variants as keys. The axis of the costs is logarithmic: equal factors are equal distances.
    """
    colour = colours(list(values))
    figure = Figure(figsize=(WIDTH, max(4, 0.2 * len(values) + 0.6)), layout="constrained")
    axes = figure.subplots(1, len(costs), squeeze=False, sharey=True)[0]
    for axis, (kind, of) in zip(axes, costs.items(), strict=True):
        dots = {"fmt": "o", "markersize": 5, "capsize": 2}
        for name, cost in of.items():
            axis.errorbar(cost, values[name], yerr=spreads.get(name), color=colour[name], label=name, **dots)
        front = sorted(fronts[kind], key=lambda name: (of[name], values[name]))
        axis.plot([of[n] for n in front], [values[n] for n in front], color="black", linewidth=1, zorder=0)
        if min(of.values()) > 0:
            axis.set_xscale("log")
            axis.set_xlim(min(of.values()) / MARGIN, max(of.values()) * MARGIN)
            between = (1, 2, 5) if max(of.values()) < 20 * min(of.values()) else (1,)
            axis.xaxis.set_major_locator(LogLocator(subs=between, numticks=6))
            axis.xaxis.set_minor_formatter(NullFormatter())
        axis.xaxis.set_major_formatter(EngFormatter(sep=""))
        axis.set(xlabel=kind)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(ylabel)
    add_legend(figure, axes[:1])
    figure.suptitle(f"{title}; the line is the Pareto front", fontsize=11)
    return figure


def trends(
    lines: Mapping[str, Mapping[str, Sequence[float]]], steps: Sequence[str], xlabel: str, ylabel: str, title: str
) -> Figure:
    """Trend chart: a line for each variant through the means of its runs, with standard deviations as error bars.

    A line has the metrics of its runs at each step, a value of the setting. Steps are drawn at equal distances.
    """
    figure = Figure(figsize=(WIDTH, 4), layout="constrained")
    axis = figure.subplots()
    colour = colours(list(lines))
    for name, line in lines.items():
        values = {place: line[step] for place, step in enumerate(steps) if line.get(step)}
        means = [mean(v) for v in values.values()]
        spreads = [stdev(v) if len(v) >= ENOUGH else 0 for v in values.values()]
        axis.errorbar(
            list(values),
            means,
            spreads if any(spreads) else None,
            marker="o",
            capsize=3,
            color=colour[name],
            label=name,
        )
    axis.set_xticks(range(len(steps)), [shortened(step) for step in steps])
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.grid(alpha=0.3)
    add_legend(figure, [axis])
    axis.set_title(title, fontsize=11)
    return figure

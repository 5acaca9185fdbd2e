"""Trend lines: a metric against the values of a setting."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from lit_cnn.plots.curves import colours
from lit_cnn.plots.text import LEGEND, Figure, shortened


def trends(
    lines: Mapping[str, Mapping[str, Sequence[float]]], steps: Sequence[str], xlabel: str, ylabel: str, title: str
) -> Figure:
    """Trend chart: a line for each variant through the means of its runs, with standard deviations as error bars.

    Args:
        lines: The metric of each run, for each step of each variant.
        steps: The values of the setting, in order; drawn at equal distances.
        xlabel: Name of the setting.
        ylabel: Name of the metric.
        title: Title of the figure.
    """
    figure = Figure(figsize=(7.5, 4), layout="constrained")
    axis = figure.subplots()
    colour = colours(list(lines))
    for name, line in lines.items():
        at = [place for place, step in enumerate(steps) if line.get(step)]
        values = [line[steps[place]] for place in at]
        spread = [stdev(v) if len(v) > 1 else 0 for v in values]
        axis.errorbar(
            at,
            [mean(v) for v in values],
            spread,
            marker="o",
            capsize=3,
            color=colour[name],
            label=shortened(name, LEGEND),
        )
    axis.set_xticks(range(len(steps)), [shortened(step) for step in steps])
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8)
    axis.set_title(title, fontsize=11)
    return figure

"""Curve of a learning-rate range test."""

from collections.abc import Sequence

from lit_cnn.plots.text import Figure


def lr_range(
    rates: Sequence[float], losses: Sequence[float], smoothed: Sequence[float], marks: dict[str, float], title: str
) -> Figure:
    """Returns the loss by the learning rate, on a logarithmic axis, with vertical lines.

    Args:
        rates: Learning rates, rising.
        losses: The loss at each.
        smoothed: The smoothed loss at each.
        marks: Rates to mark with a vertical line, by their labels.
        title: What to write above.
    """
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axis = figure.subplots()
    axis.plot(rates, losses, color="0.75", linewidth=0.8, label="each step")
    axis.plot(rates, smoothed, color="tab:blue", label="smoothed")
    for (name, rate), colour in zip(marks.items(), ("tab:green", "tab:red", "0.3"), strict=False):
        axis.axvline(rate, color=colour, linestyle="--", label=f"{name}: {rate:.1e}")
    top = 1.2 * max(smoothed[0], min(smoothed))
    axis.set(xscale="log", ylim=(0, top), xlabel="learning rate", ylabel="loss of a training step", title=title)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")  # the default writes formulas
    axis.legend(fontsize=8)
    return figure

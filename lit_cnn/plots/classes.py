"""Confusion matrix and accuracy by class."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64
from torch import Tensor

from lit_cnn.plots.text import Figure, drawable, width

# Maximum number of classes with a number in each cell, and with a name at each row.
NUMBERED, NAMED = 20, 40
CONFUSIONS = 12  # listed pairs if there are too many cells
LETTER = 0.075  # inches per letter of a class name, for wide letters


def confusion_matrix(
    counts: Int64[Tensor, "k k"] | np.ndarray, class_names: Sequence[str], title: str = "confusion matrix"
) -> Figure:
    """Confusion matrix, coloured by the share of each true class; for many classes with a list of the worst pairs.

    Args:
        counts: Images of true class i (row) that were taken for class j (column).
        class_names: Names of the classes.
        title: Title of the figure; the accuracy is added.
    """
    counts = np.asarray(counts)
    k = len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(max(4.0, 0.55 * k + 1.5), 9.0)
    names = drawable(class_names)
    if k > NUMBERED:
        figure = Figure(figsize=(side + 3.5, side), layout="constrained")
        axis, beside = figure.subplots(1, 2, width_ratios=[side, 3])
        beside.axis("off")
        beside.set_title("most frequent mistakes", fontsize=9, loc="left")
        beside.text(0, 1, _confusions(counts, names), fontsize=8, va="top", transform=beside.transAxes)
    else:  # margins by hand, since the layout "constrained" takes longer than drawing the numbers
        room = 0.5 + LETTER * max(map(width, names))
        wide, high = side + room, side - 1.0 + room
        figure = Figure(figsize=(wide, high))
        axis = figure.subplots()
        figure.subplots_adjust(left=room / wide, right=1 - 0.1 / wide, bottom=room / high, top=1 - 0.4 / high)
        for i, j in zip(*counts.nonzero(), strict=True):
            colour = "white" if shares[i, j] > 0.5 else "black"
            axis.text(j, i, f"{counts[i, j]}", ha="center", va="center", fontsize=9, color=colour)
    picture = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    axis.set(xlabel="predicted class", ylabel="true class")
    if k <= NAMED:
        axis.set_xticks(range(k), names, rotation=90 if max(map(len, names)) > 2 else 0, fontsize=9)
        axis.set_yticks(range(k), names, fontsize=9)
    else:
        axis.set(xlabel="predicted class, by its number", ylabel="true class, by its number")
    figure.colorbar(picture, ax=axis, label="share of the images of the true class", shrink=0.7)
    figure.suptitle(f"{title}: {np.trace(counts):,} of {counts.sum():,} correct", fontsize=11)
    return figure


def _confusions(counts: np.ndarray, names: Sequence[str]) -> str:
    wrong = counts - np.diag(np.diag(counts))
    worst = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSIONS]
    pairs = [divmod(int(cell), len(counts)) for cell in worst if wrong.flat[cell]]
    lines = [f"{wrong[i, j]} x {names[i]}\n     predicted as {names[j]}" for i, j in pairs]
    return "\n".join(lines) or "none"


def class_accuracy(
    counts: Int64[Tensor, "k k"] | np.ndarray, class_names: Sequence[str], title: str = "accuracy of each class"
) -> Figure:
    """Bar chart of the accuracy of each class, hardest on top; for many classes only the hardest and easiest.

    It takes the arguments of `confusion_matrix`.
    """
    counts = np.asarray(counts)
    met = counts.sum(axis=1)
    shares = np.diag(counts) / np.maximum(met, 1)
    order = [int(c) for c in np.argsort(shares, kind="stable") if met[c]]
    if len(order) > NAMED:
        title += f"\nthe {NAMED // 2} hardest and the {NAMED // 2} easiest of {len(order)}"
        order = order[: NAMED // 2] + order[-(NAMED // 2) :]
    all_names = drawable(class_names, 24)
    names = [all_names[c] for c in order]
    above = 0.4 + 0.2 * title.count("\n")
    height, room = 0.24 * len(order) + 0.9 + above, 0.5 + LETTER * max(map(width, names), default=0)
    figure = Figure(figsize=(5.5 + room, height))
    axis = figure.subplots()
    figure.subplots_adjust(left=room / (5.5 + room), right=0.97, bottom=0.85 / height, top=1 - above / height)
    places = range(len(order))
    axis.barh(places, shares[order], color="#4c78a8")
    axis.set_yticks(places, names, fontsize=8)
    for place, c in zip(places, order, strict=True):
        colour = "white" if shares[c] > 0.15 else "black"
        axis.text(0.01, place, f"{shares[c]:.1%}", va="center", fontsize=8, color=colour)
    axis.set_ylim(len(order) - 0.4, -0.6)
    mean = np.trace(counts) / max(counts.sum(), 1)
    axis.axvline(mean, color="black", linestyle="--", linewidth=1, label=f"all images {mean:.1%}")
    axis.set(xlim=(0, 1), xlabel="share of the class's images that are correct", ylabel="true class", title=title)
    axis.title.set_fontsize(11)
    figure.legend(loc="lower right", fontsize=8)
    return figure

"""Grids of images with their labels and predictions."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

RIGHT, WRONG = "#1a7f37", "#c0262d"


def sample_grid(
    images: UInt8[Tensor, "b c h w"],
    seen: UInt8[Tensor, "b c h w"],
    titles: Sequence[str],
    title: str,
    seen_as: str,
    columns: int = 8,
) -> Figure:
    """Returns a grid of images, each with the network's view of it below.

    Args:
        images: The images as they are.
        seen: The same images as the network sees them.
        titles: What to write above each pair.
        title: What to write above all.
        seen_as: What was done to the images in the network's view, such as "augmented, permuted".
        columns: Pairs in a row.
    """
    rows = -(-len(images) // columns)
    figure, axes = grid(2 * rows, min(columns, len(images)), f"{title}\nbelow each: as the network sees it ({seen_as})")
    for i in range(len(images)):
        row, column = divmod(i, columns)
        show(axes[2 * row, column], images[i])
        axes[2 * row, column].set_title(titles[i], fontsize=9)
        show(axes[2 * row + 1, column], seen[i])
    return figure


def prediction_grid(
    images: UInt8[Tensor, "b c h w"],
    labels: Sequence[int],
    preds: Sequence[int],
    probabilities: Sequence[float],
    class_names: Sequence[str],
    title: str,
    columns: int = 8,
) -> Figure:
    """Returns a grid of images with what the network took them for, right in green and wrong in red.

    Args:
        images: The images as they are.
        labels: The true class of each.
        preds: The class that the network predicts.
        probabilities: The probability that it gives to that class.
        class_names: Names of the classes.
        title: What to write above all; the count of right ones is added.
        columns: Images in a row.
    """
    right = sum(label == pred for label, pred in zip(labels, preds, strict=True))
    rows = -(-len(images) // columns)
    figure, axes = grid(rows, min(columns, len(images)), f"{title}: {right} of {len(images)} right")
    for i, (label, pred, probability) in enumerate(zip(labels, preds, probabilities, strict=True)):
        axis = axes[divmod(i, columns)]
        show(axis, images[i])
        text = f"{class_names[pred]} {probability:.0%}"
        if label != pred:
            text += f"\nis {class_names[label]}"
        colour = RIGHT if label == pred else WRONG
        axis.set_title(text, fontsize=9, color=colour)
        for spine in axis.spines.values():
            spine.set(visible=True, color=colour, linewidth=2)
    return figure


def worst_mistakes(
    images: UInt8[Tensor, "b c h w"],
    labels: Sequence[int],
    preds: Sequence[int],
    probabilities: Sequence[float],
    class_names: Sequence[str],
    title: str = "worst mistakes",
    columns: int = 6,
) -> Figure:
    """Returns a grid of misclassified images, each with its true class, the predicted one and how sure of it.

    Args:
        images: The images as they are, the worst first.
        labels: The true class of each.
        preds: The class that the network predicts.
        probabilities: The probability that it gives to that class.
        class_names: Names of the classes.
        title: What to write above all.
        columns: Images in a row.
    """
    if not len(images):
        return _note(f"{title}: none")
    rows = -(-len(images) // columns)
    figure, axes = grid(rows, min(columns, len(images)), title)
    figure.set_size_inches(1.7 * min(columns, len(images)) + 0.2, 2.0 * rows + 0.6)
    for i, (label, pred, probability) in enumerate(zip(labels, preds, probabilities, strict=True)):
        axis = axes[divmod(i, columns)]
        show(axis, images[i])
        said, true = shortened(class_names[pred]), shortened(class_names[label])
        axis.set_title(f"said {said} {probability:.1%}\nis {true}", fontsize=8, color=WRONG)
    return figure


def shortened(name: str, length: int = 16) -> str:
    """Returns a class name that fits beside a picture."""
    return name if len(name) <= length else name[: length - 1] + "…"


def _note(text: str) -> Figure:
    figure = Figure(figsize=(5, 1))
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure


def grid(rows: int, columns: int, title: str) -> tuple[Figure, np.ndarray]:
    """Returns a figure of bare axes for images, rows by columns."""
    # A figure without pyplot: no global state, nothing to close, no display needed.
    figure = Figure(figsize=(1.3 * columns, 1.5 * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        for spine in axis.spines.values():
            spine.set_visible(False)
    figure.suptitle(title, fontsize=11)
    return figure, axes


def show(axis: Axes, image: UInt8[Tensor, "c h w"]) -> None:
    """Shows an image in its colours, or the mean of its channels in grey."""
    pixels = image.permute(1, 2, 0).numpy()
    if pixels.shape[2] not in (3, 4):  # greyscale, or more channels than a screen has: show their mean
        axis.imshow(pixels.mean(axis=2), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    else:
        axis.imshow(pixels, interpolation="nearest")

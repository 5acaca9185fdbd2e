"""Pictures of images, labels and predictions: arrays in, a matplotlib figure out."""

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
    figure, axes = _grid(
        2 * rows, min(columns, len(images)), f"{title}\nbelow each: as the network sees it ({seen_as})"
    )
    for i in range(len(images)):
        row, column = divmod(i, columns)
        _show(axes[2 * row, column], images[i])
        axes[2 * row, column].set_title(titles[i], fontsize=9)
        _show(axes[2 * row + 1, column], seen[i])
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
    figure, axes = _grid(rows, min(columns, len(images)), f"{title}: {right} of {len(images)} right")
    for i, (label, pred, probability) in enumerate(zip(labels, preds, probabilities, strict=True)):
        axis = axes[divmod(i, columns)]
        _show(axis, images[i])
        text = f"{class_names[pred]} {probability:.0%}"
        if label != pred:
            text += f"\nis {class_names[label]}"
        colour = RIGHT if label == pred else WRONG
        axis.set_title(text, fontsize=9, color=colour)
        for spine in axis.spines.values():
            spine.set(visible=True, color=colour, linewidth=2)
    return figure


def _grid(rows: int, columns: int, title: str) -> tuple[Figure, np.ndarray]:
    # A figure without pyplot: no global state, nothing to close, no display needed.
    figure = Figure(figsize=(1.3 * columns, 1.5 * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        for spine in axis.spines.values():
            spine.set_visible(False)
    figure.suptitle(title, fontsize=11)
    return figure, axes


def _show(axis: Axes, image: UInt8[Tensor, "c h w"]) -> None:
    pixels = image.permute(1, 2, 0).numpy()
    if pixels.shape[2] not in (3, 4):  # greyscale, or more channels than a screen has: show their mean
        axis.imshow(pixels.mean(axis=2), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    else:
        axis.imshow(pixels, interpolation="nearest")

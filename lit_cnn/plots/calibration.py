"""Reliability diagram and expected calibration error (ECE).

Guo et al. 2017, "On Calibration of Modern Neural Networks", https://arxiv.org/abs/1706.04599, figure 1 and section 2.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from lit_cnn.plots.grids import RIGHT, WRONG
from lit_cnn.plots.text import Figure


class Bins(NamedTuple):
    """Predictions in bins of equal width by confidence; means of empty bins are 0."""

    images: Int64[Tensor, "bins"]
    confidence: Float[Tensor, "bins"]  # mean probability of the predicted class
    accuracy: Float[Tensor, "bins"]  # share of correct predictions

    @property
    def ece(self) -> float:
        """Expected calibration error (ECE): mean gap between confidence and accuracy over the images, from 0 to 1."""
        gaps = (self.confidence - self.accuracy).abs() * self.images
        return float(gaps.sum() / self.images.sum().clamp(min=1))


def calibration_bins(confidences: Float[Tensor, "n"], right: Bool[Tensor, "n"], bins: int = 15) -> Bins:
    """Sorts predictions by confidence into bins (lower, upper].

    Args:
        confidences: The probability of the predicted class of each image.
        right: Whether that is the true class.
        bins: Number of bins from 0 to 1.
    """
    confidences = confidences.double().cpu()
    place = (confidences * bins).ceil().long().sub(1).clamp(0, bins - 1)
    images = torch.bincount(place, minlength=bins)

    def mean(values: Tensor) -> Tensor:
        return torch.bincount(place, values, minlength=bins) / images.clamp(min=1)

    return Bins(images, mean(confidences), mean(right.double().cpu()))


def reliability_diagram(
    confidences: Float[Tensor, "n"], right: Bool[Tensor, "n"], title: str = "reliability", bins: int = 15
) -> Figure:
    """Reliability diagram: accuracy by confidence, with the diagonal of perfect calibration and a histogram.

    Args:
        confidences: The probability of the predicted class of each image.
        right: Whether that is the true class.
        title: Title of the figure; the ECE is added.
        bins: Number of bins from 0 to 1.
    """
    found = calibration_bins(confidences, right, bins)
    figure = Figure(figsize=(5, 5.6))  # with "constrained" matplotlib takes twice as long
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    figure.subplots_adjust(left=0.14, right=0.97, bottom=0.09, top=0.93, hspace=0.08)
    width = 1 / bins
    images, confidence, accuracy = (values.numpy() for values in found)
    middles, filled = (np.arange(bins) + 0.5) / bins, images > 0
    upper.bar(middles, accuracy, width, color=RIGHT, edgecolor="white", label="accuracy")
    gap = (confidence - accuracy)[filled]
    upper.bar(middles[filled], gap, width / 2, accuracy[filled], color=WRONG, alpha=0.5, label="gap to the confidence")
    upper.plot([0, 1], [0, 1], "--", color="black", linewidth=1, label="calibrated")
    upper.set(ylim=(0, 1), ylabel="share that is right")
    upper.legend(loc="upper left", fontsize=8)
    lower.bar(middles, images, width, color="#57606a", edgecolor="white")
    lower.set(xlim=(0, 1), xlabel="probability of the predicted class", ylabel="images")
    figure.suptitle(f"{title}: ECE {found.ece:.2%} of {len(confidences):,} images", fontsize=11)
    return figure

"""Reliability diagram and expected calibration error (ECE).

Guo et al. 2017, "On Calibration of Modern Neural Networks", https://arxiv.org/abs/1706.04599, figure 1 and section 2.
"""

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor
from torchmetrics.functional.classification import binary_calibration_error

from lit_cnn.plots.grids import RIGHT, WRONG
from lit_cnn.plots.text import Figure


def expected_calibration_error(confidences: Float[Tensor, "n"], right: Bool[Tensor, "n"], bins: int = 15) -> float:
    """Returns the ECE: the mean gap between confidence and accuracy, from 0 to 1; arguments as for the diagram."""
    # torchmetrics' multiclass ECE does the same, but takes the probabilities of all classes.
    return float(binary_calibration_error(confidences, right.int(), bins))


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
    figure = Figure(figsize=(5, 5.6))  # with the layout "constrained" matplotlib takes twice as long
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    figure.subplots_adjust(left=0.14, right=0.97, bottom=0.09, top=0.93, hspace=0.08)
    width = 1 / bins
    said, is_right = (values.cpu().double().numpy() for values in (confidences, right))
    images, sums, correct = (np.histogram(said, bins, (0, 1), weights=w)[0] for w in (None, said, is_right))
    accuracy, confidence = correct / images.clip(1), sums / images.clip(1)
    middles = (np.arange(bins) + 0.5) / bins
    upper.bar(middles, accuracy, width, color=RIGHT, edgecolor="white", label="accuracy")
    gap = confidence - accuracy
    hatched = {"fill": False, "hatch": "////", "edgecolor": WRONG, "linewidth": 0.8}
    upper.bar(middles, gap, width, accuracy, label="gap to the confidence", **hatched)
    upper.plot([0, 1], [0, 1], "--", color="black", linewidth=1, label="calibrated")
    upper.set(ylim=(0, 1), ylabel="share of correct predictions")
    upper.legend(loc="upper left", fontsize=9)
    lower.bar(middles, images, width, color="#57606a", edgecolor="white")
    lower.set(xlim=(0, 1), xlabel="probability of the predicted class", ylabel="images")
    ece = expected_calibration_error(confidences, right, bins)
    figure.suptitle(f"{title}: ECE {ece:.2%} over {len(confidences):,} images", fontsize=11)
    return figure

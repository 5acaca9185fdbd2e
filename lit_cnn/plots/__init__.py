"""Figures of images, predictions and networks: arrays in, a matplotlib figure out."""

from lit_cnn.plots.calibration import reliability_diagram
from lit_cnn.plots.classes import class_accuracy, confusion_matrix
from lit_cnn.plots.features import feature_maps, filters
from lit_cnn.plots.grids import prediction_grid, sample_grid, worst_mistakes

__all__ = [
    "class_accuracy",
    "confusion_matrix",
    "feature_maps",
    "filters",
    "prediction_grid",
    "reliability_diagram",
    "sample_grid",
    "worst_mistakes",
]

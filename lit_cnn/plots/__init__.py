"""Figures of images, predictions and networks: arrays in, a matplotlib figure out."""

from lit_cnn.plots.calibration import reliability_diagram as reliability_diagram
from lit_cnn.plots.classes import class_accuracy as class_accuracy
from lit_cnn.plots.classes import confusion_matrix as confusion_matrix
from lit_cnn.plots.features import feature_maps as feature_maps
from lit_cnn.plots.features import filters as filters
from lit_cnn.plots.grids import prediction_grid as prediction_grid
from lit_cnn.plots.grids import sample_grid as sample_grid
from lit_cnn.plots.grids import worst_mistakes as worst_mistakes
from lit_cnn.plots.lr_range import lr_range as lr_range

"""TensorBoard figures: samples, predictions, confusion matrix, calibration, features, layer health, graph."""

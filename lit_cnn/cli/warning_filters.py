"""Filters Lightning's harmless warnings."""

import logging
import warnings


def quiet() -> None:
    """Silences Lightning's harmless messages and warnings."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)  # missing devices, tips
    for message in (
        ".*LeafSpec.*",  # Lightning 2.6 with torch 2.15
        "LightningCLI's args parameter is intended",  # the verb's arguments are not the process's
        "Experiment logs directory",  # TensorBoard's files are beside metrics.csv
        "Checkpoint directory .* exists and is not empty",  # of a resumed run
        "Total length of `list` across ranks is zero",  # no images held out for validation
        "You requested to overfit but enabled",  # the loader keeps its order then
        "Found .* in eval mode at the start of training",  # batch norms of a frozen backbone
        "The dirpath has changed from",  # a test has a folder of its own
        "The number of training batches .* is smaller than the logging interval",  # metrics are logged by epoch
        "You're using the WeightAveraging callback, but loading",  # for a test, the weights are the averages
        "The provided params to be frozen already exist",  # batch norms, which BackboneFinetuning always trains
        "Grad strides do not match bucket view strides",  # DDP on greyscale images; harmless
    ):
        warnings.filterwarnings("ignore", message=message)

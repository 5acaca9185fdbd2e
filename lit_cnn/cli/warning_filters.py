"""What is not said, because all is as it should be."""

import logging
import warnings


def quiet() -> None:
    """Silences what Lightning says of things that are as they should be."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)  # devices it did not find, tips
    for message in (
        ".*LeafSpec.*",  # Lightning 2.6 with torch 2.15
        "Experiment logs directory",  # TensorBoard's files lie where metrics.csv goes
        "Checkpoint directory .* exists and is not empty",  # of a run that goes on
        "Total length of `list` across ranks is zero",  # no images held out for validation
        "You requested to overfit but enabled",  # the loader keeps its order then
        "Found .* in eval mode at the start of training",  # batch norms of a frozen body
        "The dirpath has changed from",  # a test has a folder of its own
        "The number of training batches .* is smaller than the logging interval",  # metrics come by the epoch
        "You're using the WeightAveraging callback, but loading",  # for a test: its weights are the averages
        "The provided params to be frozen already exist",  # batch norms, which BackboneFinetuning trains all along
        "Grad strides do not match bucket view strides",  # DDP on greyscale images; no error, as it says
    ):
        warnings.filterwarnings("ignore", message=message)

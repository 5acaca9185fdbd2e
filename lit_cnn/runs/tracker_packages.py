"""Packages of loggers: Weights & Biases, MLflow and Comet are installed separately."""

from collections.abc import Iterable
from importlib.util import find_spec

from lit_cnn.errors import not_installed

PACKAGES = {  # with the extra that brings it
    "WandbLogger": ("wandb", "wandb"),
    "MLFlowLogger": ("mlflow", "mlflow"),
    "CometLogger": ("comet_ml", "comet"),
}


def refuse_missing(loggers: Iterable[str]) -> None:
    """Raises a ConfigError if the package of a logger, given by the name of its class, is not installed."""
    for name in loggers:
        if name in PACKAGES and find_spec(PACKAGES[name][0]) is None:
            raise not_installed(name, *PACKAGES[name])

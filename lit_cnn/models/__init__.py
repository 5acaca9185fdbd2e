"""The networks: plain modules from images to logits, usable without Lightning."""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from lit_cnn.errors import ConfigError, nearest
from lit_cnn.models.cnn import CNN
from lit_cnn.models.lenet import LeNet
from lit_cnn.models.mlp import MLP
from lit_cnn.models.resnet import VARIANTS, ResNet
from lit_cnn.models.vgg import VGG

NETWORKS: dict[str, Callable[..., nn.Module]] = {"mlp": MLP, "cnn": CNN, "lenet": LeNet, "vgg8_bn": VGG}
NETWORKS |= {name: partial(ResNet, name) for name in VARIANTS}  # type: ignore[arg-type]


def create(name: str, **settings: Any) -> nn.Module:
    """Returns a network by its name.

    Args:
        name: One of `NETWORKS`.
        settings: Arguments of the network, such as `in_channels`, `num_classes`, `image_size`.

    Raises:
        ConfigError: If no network has this name.

    Example:
        >>> sum(p.numel() for p in create("cnn", num_classes=10).parameters())
        6422
    """
    if name not in NETWORKS:
        known = ", ".join(NETWORKS)
        raise ConfigError(f"No network is called {name!r}.{nearest(name, list(NETWORKS))} There are {known}.")
    return NETWORKS[name](**settings)


__all__ = ["CNN", "MLP", "NETWORKS", "VGG", "LeNet", "ResNet", "create"]

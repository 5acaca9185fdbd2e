"""Layers, initialisation and look-up of variants, shared by several networks."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

Variant = TypeVar("Variant")


def variant(name: str, variants: Mapping[str, Variant]) -> Variant:
    """Returns the variant of a family of this name, or raises a ValueError with all names."""
    if name not in variants:
        raise ValueError(f"`name` has to be one of {', '.join(variants)}, but got {name!r}.")
    return variants[name]


def local_response_norm() -> nn.LocalResponseNorm:
    """AlexNet's local response normalisation: k 2, n 5, alpha 1e-4, beta 0.75; only torch divides alpha by n."""
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)


def fully_connected(in_features: int, hidden: int, num_classes: int, dropout: float) -> nn.Sequential:
    """Returns two hidden layers with dropout and a last layer to the logits."""
    return nn.Sequential(
        *(nn.Dropout(dropout), nn.Linear(in_features, hidden), nn.ReLU(inplace=True)),
        *(nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU(inplace=True)),
        nn.Linear(hidden, num_classes),
    )


def initialise(layers: Sequence[nn.Conv2d | nn.Linear], he: bool = False, with_ones: Sequence[nn.Module] = ()) -> None:
    """Draws all weights from a normal distribution with standard deviation 0.01, biases to 0, or to 1 `with_ones`.

    With `he`, convolutions have the standard deviation sqrt(2 / fan_out) (He et al. 2015,
    https://arxiv.org/abs/1502.01852, equation 14).
    """
    for layer in layers:
        if he and isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        else:
            nn.init.normal_(layer.weight, std=0.01)
        if layer.bias is not None:
            nn.init.constant_(layer.bias, float(any(layer is other for other in with_ones)))


def set_norm_momentum(net: nn.Module, momentum: float) -> None:
    """Sets the momentum of all batch norms of a network: the share of a new batch in their running statistics."""
    norms = [layer for layer in net.modules() if isinstance(layer, _BatchNorm)]
    if not 0 <= momentum <= 1:
        raise ValueError(f"`norm_momentum` has to be a share from 0 to 1, but got {momentum}.")
    if not norms:
        raise ValueError(f"`norm_momentum` is for batch norm, but {type(net).__name__} has none. Remove it.")
    for norm in norms:
        norm.momentum = momentum

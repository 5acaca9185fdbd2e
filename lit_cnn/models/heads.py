"""Head and body of a network: the layers that give the logits, and all others, the backbone."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn


def belongs(key: str, parts: Sequence[str]) -> bool:
    """Whether a parameter or layer is one of these layers, or within one."""
    return any(key == part or key.startswith(f"{part}.") for part in parts)


def heads_of(net: nn.Module) -> tuple[str, ...]:
    """Returns the names of the layers that give the logits.

    lit_cnn's and timm's networks name these layers. For others it is the last fully connected or convolutional layer.

    Example:
        >>> heads_of(nn.Sequential(nn.Flatten(), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)))
        ('3',)
    """
    named = getattr(net, "heads", None)
    if isinstance(named, tuple):
        return named
    of_timm: Any = (getattr(net, "pretrained_cfg", None) or {}).get("classifier")
    found = (of_timm,) if isinstance(of_timm, str) else tuple(of_timm or ())
    layers = dict(net.named_modules())
    if found and all(name in layers for name in found):
        return found
    weighted = [name for name, layer in layers.items() if isinstance(layer, (nn.Linear, nn.Conv2d, nn.LazyLinear))]
    return tuple(weighted[-1:])


def body_of(net: nn.Module) -> nn.ModuleList:
    """Returns the backbone: all layers but the heads, and the parameters that belong to no layer."""
    heads = heads_of(net)
    layers = {name: layer for name, layer in net.named_modules() if not belongs(name, heads)}
    body = nn.ModuleList(layer for layer in layers.values() if not [*layer.children()])
    loose = nn.Module()
    for name, parameter in _loose(net, heads):
        loose.register_parameter(name, parameter)
    return body.append(loose) if [*loose.parameters()] else body


def _loose(net: nn.Module, heads: Sequence[str]) -> Iterator[tuple[str, nn.Parameter]]:
    """Yields the parameters of layers that hold other layers, such as the class token of a vision transformer."""
    for name, layer in net.named_modules():
        if [*layer.children()] and not belongs(name, heads):
            for own, parameter in layer.named_parameters(recurse=False):
                yield f"{name}_{own}".replace(".", "_"), parameter

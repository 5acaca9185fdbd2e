"""Compares receptive fields with the pixels that gradients reach."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_cnn.models.cifar_resnet import PaddedShortcut
from lit_cnn.models.layer_table import Layer, layers_of
from scripts.verification.sizes import on_meta

Ends = tuple[int, int]  # first and last pixel along one axis


@dataclass(frozen=True)
class Seen:
    """What one value in the middle of a layer's maps sees along height and width, by arithmetic and by gradient."""

    layer: Layer
    expected: list[Ends]
    found: list[Ends]


def maps_of(name: str, size: int, **settings: Any) -> list[Layer]:
    """Returns the layers of a network that have maps, and whose windows do not depend on the image's size."""
    layers = layers_of(on_meta(name, in_channels=3, image_size=size, **settings), (3, size, size))
    return [layer for layer in layers if len(layer.output) == 3 and layer.kind != "AdaptiveAvgPool2d"]


def large_enough(name: str, **settings: Any) -> int:
    """Returns the side of an image in whose middle the largest field of all maps lies whole; 0 without maps."""
    spans = [span for layer in maps_of(name, 128, **settings) for span in layer.field or ()]
    return max((span.size + 6 * span.stride for span in spans), default=0)


def look(name: str, size: int, places: int = 6, **settings: Any) -> list[Seen]:
    """Compares some layers of a network, and at last the one that sees most.

    The gradient is that of the network with one map for each of its layers' many, all kernels positive, averages in
    place of maxima, and no norms: no path is cut off or cancelled, and the windows are the same.

    Args:
        name: Name of the network.
        size: Height and width of the image, in pixels.
        places: Number of layers beside that one, about.
        settings: Arguments of the network.
    """
    layers = maps_of(name, size, **settings)
    if not layers:
        return []
    net = _thin(on_meta(name, in_channels=3, image_size=size, **settings)).eval()
    modules = dict(net.named_modules())
    widest = max(layers, key=lambda layer: max(span.size for span in layer.field or ()))
    chosen = [*(layer for layer in layers[:: max(1, len(layers) // places)] if layer != widest), widest]
    outputs: dict[str, Tensor] = {}

    def keep(key: str) -> Any:
        return lambda *call: outputs.__setitem__(key, call[2])

    handles = [modules[layer.name].register_forward_hook(keep(layer.name)) for layer in chosen]
    image = torch.ones(1, 3, size, size, dtype=torch.float64, requires_grad=True)
    with _averages():
        net(image)
    for handle in handles:
        handle.remove()
    return [_compare(layer, outputs[layer.name], image) for layer in chosen]


def _compare(layer: Layer, maps: Tensor, image: Tensor) -> Seen:
    size = image.shape[-1]
    place = layer.output[-1] // 2
    assert layer.field is not None
    expected = []
    for span in layer.field:
        first = span.start + place * span.stride
        expected.append((max(0, first), min(size, first + span.size) - 1))
    (gradient,) = torch.autograd.grad(maps[0, :, place, place].sum(), image, retain_graph=True)
    axes = gradient.abs().sum(dim=(0, 1)).nonzero().T
    return Seen(layer, expected, [(int(axis.min()), int(axis.max())) for axis in axes])


class _OneMap(nn.Conv2d):
    """A convolution's window over the mean of all maps, with one map for its output."""

    def __init__(self, layer: nn.Conv2d):
        geometry: Any = {key: getattr(layer, key) for key in ("kernel_size", "stride", "padding", "dilation")}
        super().__init__(1, 1, **geometry, bias=False, dtype=torch.float64, device="cpu")
        nn.init.constant_(self.weight, 1 / self.weight.numel())

    def forward(self, maps: Tensor) -> Tensor:
        return super().forward(maps.mean(1, keepdim=True))


class _Copy(nn.Module):
    """Stands for what does not move pixels; a copy, since what follows may change it in place."""

    def forward(self, values: Tensor) -> Tensor:
        return values.clone()


def _thin(net: nn.Module) -> nn.Module:
    for key, layer in list(net.named_children()):
        if isinstance(layer, nn.Conv2d):
            setattr(net, key, _OneMap(layer))
        elif isinstance(layer, (nn.BatchNorm2d, nn.LocalResponseNorm, nn.Linear)):
            setattr(net, key, _Copy())
        else:
            _thin(layer)
        if isinstance(layer, PaddedShortcut):
            layer.missing = 0
    return net


@contextmanager
def _averages() -> Iterator[None]:
    def average(
        maps: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Tensor:
        return F.avg_pool2d(maps, kernel_size, stride, padding, ceil_mode)

    with patch.object(F, "max_pool2d", average):
        yield

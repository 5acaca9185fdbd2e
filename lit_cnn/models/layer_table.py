"""MACs, parameters and receptive field of each layer of a network, measured by passing an empty image through it.

Receptive fields: Araujo, Norris & Sim 2019, https://doi.org/10.23915/distill.00021, for any graph of layers: where
branches meet, the receptive field is the smallest that contains those of all branches.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import reduce
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.weak import WeakIdKeyDictionary

aten = torch.ops.aten
SHOWN = (nn.Conv2d, nn.Linear, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)


class Span(NamedTuple):
    """Receptive field along one axis: the pixels of the image that the values of a feature map depend on."""

    start: int  # first pixel that the first value sees; below 0 in the padding
    size: int  # number of pixels that one value sees, including those between dilated taps
    stride: int  # distance in pixels between the receptive fields of neighbouring values

    def through(self, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> "Span":
        """Returns the receptive field after a convolution or pooling."""
        size = self.size + (kernel - 1) * dilation * self.stride
        return Span(self.start - padding * self.stride, size, self.stride * stride)

    def joined(self, other: "Span") -> "Span":
        """Returns the smallest receptive field that contains both."""
        start = min(self.start, other.start)
        end = max(self.start + self.size, other.start + other.size)
        return Span(start, end - start, max(self.stride, other.stride))


Field = tuple[Span, Span]  # along height and width


class Layer(NamedTuple):
    """One layer of a network, on images of one size."""

    name: str  # in the network
    kind: str  # its class
    output: tuple[int, ...]  # shape for one image
    parameters: int
    macs: int  # MACs for one image
    field: Field | None  # receptive field of one value of its output; None if it does not depend on the image


def macs_of(net: nn.Module, shape: tuple[int, int, int]) -> int:
    """Returns the multiply-accumulate operations (MACs) of a network on the device meta, for one image of a shape."""
    with FlopCounterMode(display=False) as counter, torch.no_grad(), without_norms(net):
        net.eval()(torch.zeros(1, *shape, device="meta"))
    return int(counter.get_total_flops()) // 2  # torch counts multiplications and additions


def layers_of(net: nn.Module, shape: tuple[int, int, int]) -> list[Layer]:
    """Returns the convolutions, poolings and linear layers of a network on the device meta, in order of execution."""
    names = {layer: name for name, layer in net.named_modules()}
    fields, layers = TrackFields(), []

    def note(layer: Any, _: Any, output: Tensor) -> None:
        parameters = sum(p.numel() for p in layer.parameters())
        macs = output[0].numel() * layer.weight[0].numel() if parameters else 0
        kind, size = type(layer).__name__, tuple(output.shape[1:])
        layers.append(Layer(names[layer], kind, size, parameters, macs, fields.of.get(output)))

    image = torch.zeros(1, *shape, device="meta")
    fields.of[image] = (Span(0, 1, 1), Span(0, 1, 1))
    shown = (layer for layer in net.modules() if isinstance(layer, SHOWN))
    with hooked((layer, note) for layer in shown), torch.no_grad(), without_norms(net), fields:
        net.eval()(image)
    return layers


@contextmanager
def hooked(hooks: Iterable[tuple[nn.Module, Callable[..., Any]]]) -> Iterator[None]:
    """Within a `with` block, each layer calls its function after every forward pass."""
    with ExitStack() as handles:
        for layer, hook in hooks:
            handles.enter_context(layer.register_forward_hook(hook))
        yield


@contextmanager
def without_norms(net: nn.Module) -> Iterator[None]:
    """Leaves batch norm out: it changes none of the figures, and takes torch most of the time on the device meta."""
    norms = [layer for layer in net.modules() if type(layer) is nn.BatchNorm2d]
    for layer in norms:
        layer.forward = lambda images: images  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        for layer in norms:
            del layer.forward


class TrackFields(TorchDispatchMode):
    """Tracks the receptive field of every tensor through all operations; `of` has tensors that depend on the image."""

    def __init__(self) -> None:
        super().__init__()
        self.of: Any = WeakIdKeyDictionary()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        seeing = [t for t in tree_leaves(args) if isinstance(t, Tensor) and t in self.of]
        if seeing:
            field = tuple(reduce(Span.joined, spans) for spans in zip(*(self.of[t] for t in seeing), strict=True))
            output = next(t for t in tree_leaves(result) if isinstance(t, Tensor))
            self.of[output] = _behind(func, args, field, seeing[0], output)
        return result


def _behind(func: Any, args: Any, field: Field, before: Tensor, after: Tensor) -> Field:
    """Returns the receptive field after an operation; `field` is the smallest that contains those of its inputs."""
    if func is aten.convolution.default:
        return _through(field, args[1].shape[2:], *args[3:6])
    if func in (aten.max_pool2d_with_indices.default, aten.avg_pool2d.default):
        stride = args[2] if len(args) > 2 and args[2] else args[1]
        return _through(field, args[1], stride, args[3] if len(args) > 3 else (0, 0))
    if before.dim() != 4:
        return field
    if func is aten.slice.Tensor and args[1] in (2, 3):  # every second pixel of a shortcut
        step = args[4] if len(args) > 4 else 1
        return _through(field, (1, 1), (step, 1) if args[1] == 2 else (1, step))
    if after.shape[-2:] == before.shape[-2:]:  # elementwise, or over channels
        return field
    return _through(field, before.shape[2:], (1, 1))  # the whole map


def _through(field: Field, *settings: Any) -> Field:
    # torch writes one number for both axes too
    pairs = [(s[0], s[-1]) if isinstance(s, (list, tuple)) else (s, s) for s in settings]
    return field[0].through(*(p[0] for p in pairs)), field[1].through(*(p[1] for p in pairs))

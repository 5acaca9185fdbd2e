"""Layer tables: multiply-adds against torch's counter, receptive fields against gradients and published figures."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from lit_cnn import models
from lit_cnn.models import ARCHITECTURES
from lit_cnn.models.arithmetic import Span, layers_of, multiply_adds


def on_meta(name, size, **settings):
    with torch.device("meta"):
        return models.create(name, in_channels=3, image_size=size, **settings)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_multiply_adds_equal_torchs_own_counter(name):
    net = on_meta(name, 40)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.eval()(torch.zeros(1, 3, 40, 40, device="meta"))
    assert multiply_adds(net, (3, 40, 40)) == counter.get_total_flops() // 2


@pytest.mark.parametrize("name", ["alexnet", "inception_v2", "resnet50", "resnet20", "wide_resnet16_4", "mlp"])
def test_layers_add_up_to_the_network(name):
    net = on_meta(name, 32)
    layers = layers_of(net, (3, 32, 32))
    assert sum(layer.multiply_adds for layer in layers) == multiply_adds(net, (3, 32, 32))
    normed = sum(p.numel() for m in net.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters())
    assert sum(layer.parameters for layer in layers) + normed == sum(p.numel() for p in net.parameters())
    assert layers[-1].output == (10,)
    assert len({layer.name for layer in layers}) == len(layers)


# Araujo, Norris & Sim 2019, https://doi.org/10.23915/distill.00021, table of fields at the last map. Their ResNets take
# strides elsewhere; 427 for torchvision's follows from the sum of (kernel - 1) times stride before it.
PUBLISHED = {
    "alexnet": (195, 224),
    "inception_v2": (699, 224),
    "vgg16": (212, 224),
    "inception_v3": (1311, 299),
    "resnet50": (427, 224),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_fields_at_the_last_map_are_the_published_ones(name):
    size, pixels = PUBLISHED[name]
    layers = layers_of(on_meta(name, pixels, stem="imagenet"), (3, pixels, pixels))
    assert layers[-1].kind == "Linear"
    first_linear = next(layer for layer in layers if layer.kind == "Linear")
    maps = [layer for layer in layers if len(layer.output) == 3 and layer.output[-1] > 1]
    side = maps[-1].output[-1]
    stride = maps[-1].field[0].stride
    assert stride == 32
    assert first_linear.field[0].size - (side - 1) * stride == size  # which sees the whole last map


def seen(net, images, layer, place):
    """Returns the first and last row and column of the image that one value of a layer depends on, by its gradient."""
    kept = []
    handle = layer.register_forward_hook(lambda *a: kept.append(a[2]))
    net(images)
    handle.remove()
    (gradient,) = torch.autograd.grad(kept[-1][0, :, place, place].sum(), images)
    rows, columns = gradient.abs().sum(dim=(0, 1)).nonzero().T
    return [(int(axis.min()), int(axis.max())) for axis in (rows, columns)]


BRUTE = {
    "cnn": 40, "dilated_cnn": 40, "alexnet": 40, "zfnet": 48, "vgg11_bn": 40, "googlenet": 40, "inception_v2": 40,
    "inception_v3": 40, "resnet18": 40, "resnext50_32x4d": 40, "resnet20": 40, "wide_resnet16_4": 40,
}  # fmt: skip


@pytest.mark.parametrize(("name", "size"), BRUTE.items())
def test_receptive_fields_are_where_gradients_arrive(name, size, monkeypatch):
    layers = layers_of(on_meta(name, size), (3, size, size))
    # Every path carries a positive gradient: positive weights, no maximum that picks one of its window.
    net = models.create(name, in_channels=3, image_size=size).double().eval()
    with torch.no_grad():
        for key, value in net.state_dict().items():
            if key.endswith("weight"):
                value.abs_().clamp_(min=1e-3)
            elif key.endswith("bias"):
                value.zero_()

    def average(maps, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
        return F.avg_pool2d(maps, kernel_size, stride, padding, ceil_mode)

    monkeypatch.setattr(F, "max_pool2d", average)
    images = torch.rand(1, 3, size, size, dtype=torch.float64, requires_grad=True)
    modules = dict(net.named_modules())
    tried = 0
    for layer in [layer for layer in layers if len(layer.output) == 3][:: max(1, len(layers) // 6)]:
        if layer.kind == "AdaptiveAvgPool2d":
            continue
        place = layer.output[-1] // 2
        expected = []
        for span in layer.field:
            first = span.start + place * span.stride
            expected.append((max(0, first), min(size, first + span.size) - 1))
        assert seen(net, images, modules[layer.name], place) == expected, layer.name
        tried += 1
    assert tried >= 3


def test_spans_of_layers_by_hand():
    span = Span(0, 1, 1).through(7, stride=2, padding=3)
    assert span == Span(-3, 7, 2)
    assert span.through(3, stride=2, padding=1) == Span(-5, 11, 4)
    assert Span(0, 1, 1).through(3, padding=4, dilation=4) == Span(-4, 9, 1)
    assert Span(-3, 7, 2).joined(Span(0, 1, 2)) == Span(-3, 7, 2)

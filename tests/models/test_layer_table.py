"""Layer tables: MACs against torch's counter, receptive fields against gradients and published figures."""

import pytest
from large import marked
from torch import nn

from lit_cnn.models import ARCHITECTURES
from lit_cnn.models.layer_table import Span, layers_of, macs_of
from scripts.verification.fields import large_enough, look
from scripts.verification.sizes import compare_macs, on_meta


@pytest.mark.parametrize("name", marked(ARCHITECTURES))
def test_macs_equal_torchs_own_counter(name):
    cell = compare_macs(name, (3, 40, 40))
    assert cell.ours == cell.theirs


@pytest.mark.parametrize("name", ["alexnet", "inception_v2", "resnet50", "resnet20", "wide_resnet16_4", "mlp"])
def test_layers_add_up_to_the_network(name):
    net = on_meta(name, in_channels=3, image_size=32)
    layers = layers_of(net, (3, 32, 32))
    assert sum(layer.macs for layer in layers) == macs_of(net, (3, 32, 32))
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
    layers = layers_of(on_meta(name, in_channels=3, image_size=pixels, stem="imagenet"), (3, pixels, pixels))
    assert layers[-1].kind == "Linear"
    first_linear = next(layer for layer in layers if layer.kind == "Linear")
    maps = [layer for layer in layers if len(layer.output) == 3 and layer.output[-1] > 1]
    side = maps[-1].output[-1]
    stride = maps[-1].field[0].stride
    assert stride == 32
    assert first_linear.field[0].size - (side - 1) * stride == size  # which sees the whole last map


# Each kind of layer, at a stem that has it; scripts/verify_architectures.py looks at all networks.
LOOKED_AT = [
    *(("cnn", None), ("dilated_cnn", None), ("alexnet", "imagenet"), ("zfnet", "small"), ("vgg11_bn", "small")),
    *(("googlenet", "small"), ("inception_v2", "small"), ("inception_v3", "small"), ("resnet18", "imagenet")),
    *(("resnext50_32x4d", "small"), ("resnet20", None), ("wide_resnet16_4", None)),
]


@pytest.mark.parametrize(("name", "stem"), LOOKED_AT)
@pytest.mark.parametrize("whole", [True, False], ids=["in the middle", "cut off by the edge"])
def test_receptive_fields_are_where_gradients_arrive(name, stem, whole):
    settings = {"stem": stem} if stem else {}
    size = large_enough(name, **settings) if whole else 40
    if stem == "imagenet" and not whole:
        size = 64
    found = look(name, size, **settings)
    assert len(found) >= 4
    for seen in found:
        assert seen.found == seen.expected, seen.layer.name
    sizes = [last - first + 1 for first, last in found[-1].found]
    assert not whole or sizes == [span.size for span in found[-1].layer.field]


def test_spans_of_layers_by_hand():
    span = Span(0, 1, 1).through(7, stride=2, padding=3)
    assert span == Span(-3, 7, 2)
    assert span.through(3, stride=2, padding=1) == Span(-5, 11, 4)
    assert Span(0, 1, 1).through(3, padding=4, dilation=4) == Span(-4, 9, 1)
    assert Span(-3, 7, 2).joined(Span(0, 1, 2)) == Span(-3, 7, 2)

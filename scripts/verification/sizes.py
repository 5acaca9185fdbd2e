"""Compares parameters with published figures, and MACs with torch's counter."""

from dataclasses import dataclass, field
from typing import Any

import torch
import torchvision
from torch import nn

from lit_cnn import models
from lit_cnn.models import ARCHITECTURES, layer_table
from lit_cnn.models.inception_v2 import BLOCKS
from scripts.verification.cells import Cell

SHARED = [name for name in ARCHITECTURES if name in torchvision.models.list_models()]


@dataclass(frozen=True)
class Reference:
    """A number of parameters that others give, or that follows from what they give.

    Attributes:
        figure: The number; or millions of them with the paper's digits, as a text.
        source: Where it stands.
        settings: Arguments of the network that it is for.
    """

    figure: int | str
    source: str
    settings: dict[str, Any] = field(default_factory=dict)


def on_meta(name: str, **settings: Any) -> nn.Module:
    """Returns a network without memory for its weights."""
    with torch.device("meta"):
        return models.create(name, **settings)


def parameters_of(net: nn.Module) -> int:
    """Returns the number of trained numbers."""
    return sum(p.numel() for p in net.parameters())


def _zfnet() -> int:
    convolutions = [(3, 7, 96), (96, 5, 256), (256, 3, 512), (512, 3, 1024), (1024, 3, 512)]
    linears = [(512 * 6 * 6, 4096), (4096, 4096), (4096, 10)]
    return sum(i * k * k * o + o for i, k, o in convolutions) + sum(i * o + o for i, o in linears)


def _preact_resnet18() -> int:
    def block(i: int, o: int) -> int:  # two norms, two convolutions, and a shortcut where maps are added
        return 2 * i + 9 * i * o + 2 * o + 9 * o * o + (i * o if i != o else 0)

    pairs = [(64, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
    return 27 * 64 + sum(block(*pair) for pair in pairs) + 2 * 512 + 512 * 10 + 10


def _airbench(widths: tuple[int, int, int], convolutions: int) -> int:
    total, channels = 12 * 24 + 24, 24  # whitening filters and their biases
    for maps in widths:  # each convolution has a batch norm's scale and bias
        total += 9 * channels * maps + (convolutions - 1) * 9 * maps**2 + convolutions * 2 * maps
        channels = maps
    return total + 10 * channels


_INCEPTION_V2 = {"num_classes": 1000, "stem": "imagenet"}
# One for each map of its convolutions, which batch norm makes needless.
_INCEPTION_V2_BIASES = 64 + 64 + 192 + sum(a + b + c + d + 2 * e + f for a, b, c, d, e, f in BLOCKS.values())

REFERENCES = {
    "mlp": Reference(6_442, "the exercise"),
    "cnn": Reference(6_422, "the exercise"),
    "pointwise_cnn": Reference(2 * 74 + 75 * 74 + 75 * 10, "sum over its layers"),
    "dilated_cnn": Reference(10 * 15 + 3 * 136 * 15 + 16 * 10, "sum over its layers"),
    "lenet": Reference(76 * 6 + 151 * 16 + 401 * 120 + 121 * 84 + 85 * 10, "sum over its layers"),
    "zfnet": Reference(_zfnet(), "sum over figure 3, maps of table 3", {"stem": "imagenet"}),
    "vgg8_bn": Reference(9_231_114, "the exercise"),
    "inception_v2": Reference(11_295_240 - _INCEPTION_V2_BIASES, "the Caffe release less its biases", _INCEPTION_V2),
    "airbench94": Reference(_airbench((64, 256, 256), 2), "sum over its layers"),
    "airbench96": Reference(_airbench((128, 384, 512), 3), "sum over its layers"),
    "resnet20": Reference("0.27", "He et al. 2016, table 6"),
    "resnet32": Reference("0.46", "He et al. 2016, table 6"),
    "resnet44": Reference("0.66", "He et al. 2016, table 6"),
    "resnet56": Reference("0.85", "He et al. 2016, table 6"),
    "resnet110": Reference("1.7", "He et al. 2016, table 6"),
    "resnext29_8x64d": Reference("34.4", "Xie et al. 2017, table 7"),
    "preact_resnet18": Reference(_preact_resnet18(), "sum over its layers"),
    "wide_resnet16_4": Reference("2.7", "Zagoruyko & Komodakis 2016, table 4"),
    "wide_resnet28_10": Reference("36.5", "Zagoruyko & Komodakis 2016, table 4"),
}


def reference_of(name: str) -> Reference | None:
    """Returns the published number of parameters of a network, or None where there is none."""
    if name not in SHARED:
        return REFERENCES.get(name)
    settings: dict[str, Any] = {"num_classes": 1000, "stem": "imagenet"}
    if name == "googlenet":
        settings["aux_logits"] = False  # torchvision counts it without
    published = next(iter(torchvision.models.get_model_weights(name))).meta["num_params"]
    return Reference(published, "torchvision's num_params", settings)


def compare_parameters(name: str, reference: Reference) -> Cell:
    """Compares a network's number of parameters with the published one."""
    ours = parameters_of(on_meta(name, **reference.settings))
    if isinstance(reference.figure, int):
        return Cell(ours, reference.figure)
    digits = len(reference.figure.partition(".")[2])
    return Cell(f"{ours / 1e6:.{digits}f} million", f"{reference.figure} million")


def compare_macs(name: str, shape: tuple[int, int, int], **settings: Any) -> Cell:
    """Holds the sum of the MACs of all layers against half the operations that torch counts."""
    net = on_meta(name, in_channels=shape[0], image_size=shape[1:], **settings)
    total = sum(layer.macs for layer in layer_table.layers_of(net, shape))
    return Cell(total, layer_table.macs_of(net, shape))

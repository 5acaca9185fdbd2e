"""Model registry: all networks by name, with constructor, paper and smallest image size."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from torch import nn

from lit_cnn.models import (
    airbench,
    alexnet,
    cifar_resnet,
    googlenet,
    inception_v2,
    inception_v3,
    preact_resnet,
    resnet,
    vgg,
    zfnet,
)
from lit_cnn.models.cnn import CNN, smallest_image
from lit_cnn.models.dilated import DilatedCNN
from lit_cnn.models.lenet import LeNet
from lit_cnn.models.mlp import MLP
from lit_cnn.models.pointwise import PointwiseCNN


class Architecture(NamedTuple):
    """One entry of the model registry: how to build it, and its paper."""

    build: Callable[..., nn.Module]  # from `in_channels`, `num_classes`, `image_size` and its own arguments
    paper: str  # its authors
    year: int
    link: str
    smallest: int  # shorter side of the smallest images that it takes, in pixels; the minimum over its stems
    stems: Mapping[str, int] = {}  # the same for each stem, if there is a choice


Paper = tuple[str, int, str]
Smallest = Mapping[str, int] | int  # by stem, if there is a choice

KRIZHEVSKY: Paper = (
    "Krizhevsky et al.", 2012,
    "https://papers.nips.cc/paper/2012/hash/c399862d3b9d6b76c8436e924a68c45b-Abstract.html",
)  # fmt: skip
# By the beginning of the networks' names.
PAPERS: dict[str, Paper] = {
    "airbench": ("Jordan", 2024, "https://arxiv.org/abs/2404.00498"),
    "googlenet": ("Szegedy et al.", 2015, "https://arxiv.org/abs/1409.4842"),
    "inception_v2": ("Ioffe & Szegedy", 2015, "https://arxiv.org/abs/1502.03167"),
    "inception_v3": ("Szegedy et al.", 2016, "https://arxiv.org/abs/1512.00567"),
    "preact": ("He et al.", 2016, "https://arxiv.org/abs/1603.05027"),
    "resnet": ("He et al.", 2016, "https://arxiv.org/abs/1512.03385"),
    "resnext": ("Xie et al.", 2017, "https://arxiv.org/abs/1611.05431"),
    "vgg": ("Simonyan & Zisserman", 2015, "https://arxiv.org/abs/1409.1556"),
    "wide": ("Zagoruyko & Komodakis", 2016, "https://arxiv.org/abs/1605.07146"),
}


def _entry(build: Callable[..., nn.Module], paper: Paper, smallest: Smallest) -> Architecture:
    if isinstance(smallest, int):
        return Architecture(build, *paper, smallest)
    return Architecture(build, *paper, min(smallest.values()), smallest)


def _family(network: Callable[..., nn.Module], smallest: Mapping[str, Smallest]) -> dict[str, Architecture]:
    papers = {name: next(PAPERS[start] for start in PAPERS if name.startswith(start)) for name in smallest}
    return {name: _entry(partial(network, name), papers[name], sizes) for name, sizes in smallest.items()}


ARCHITECTURES: dict[str, Architecture] = {
    "mlp": _entry(MLP, ("Rumelhart et al.", 1986, "https://doi.org/10.1038/323533a0"), 1),
    "cnn": _entry(CNN, ("LeCun et al.", 1989, "https://doi.org/10.1162/neco.1989.1.4.541"), smallest_image(2, 5)),
    "pointwise_cnn": _entry(PointwiseCNN, ("Lin et al.", 2014, "https://arxiv.org/abs/1312.4400"), 1),
    "dilated_cnn": _entry(DilatedCNN, ("Yu & Koltun", 2016, "https://arxiv.org/abs/1511.07122"), 1),
    "lenet": _entry(LeNet, ("LeCun et al.", 1998, "https://doi.org/10.1109/5.726791"), smallest_image(2, 5)),
    "alexnet": _entry(alexnet.AlexNet, KRIZHEVSKY, alexnet.SMALLEST),
    "zfnet": _entry(zfnet.ZFNet, ("Zeiler & Fergus", 2014, "https://arxiv.org/abs/1311.2901"), zfnet.SMALLEST),
    "vgg8_bn": _entry(vgg.VGG, PAPERS["vgg"], vgg.SMALLEST["imagenet"]),
    **_family(vgg.VGG, dict.fromkeys(vgg.CLASSIC, vgg.SMALLEST)),
    "googlenet": _entry(googlenet.GoogLeNet, PAPERS["googlenet"], googlenet.SMALLEST),
    "inception_v2": _entry(inception_v2.InceptionV2, PAPERS["inception_v2"], inception_v2.SMALLEST),
    "inception_v3": _entry(inception_v3.InceptionV3, PAPERS["inception_v3"], inception_v3.SMALLEST),
    **_family(resnet.ResNet, dict.fromkeys(resnet.VARIANTS, resnet.SMALLEST)),
    **_family(cifar_resnet.CIFARResNet, dict.fromkeys(cifar_resnet.DEPTHS, cifar_resnet.SMALLEST)),
    **_family(preact_resnet.PreActResNet, preact_resnet.SMALLEST),
    **_family(airbench.Airbench, dict.fromkeys(airbench.VARIANTS, airbench.SMALLEST)),
}

"""The networks: plain PyTorch modules from images to logits, usable without Lightning.

Example:
    >>> from lit_cnn import models
    >>> net = models.create("resnet18", num_classes=10, in_channels=1)
"""

import inspect
from typing import Any

from torch import nn

from lit_cnn.errors import ConfigError, nearest
from lit_cnn.models.airbench import Airbench as Airbench
from lit_cnn.models.alexnet import AlexNet as AlexNet
from lit_cnn.models.cifar_resnet import CIFARResNet as CIFARResNet
from lit_cnn.models.cnn import CNN as CNN
from lit_cnn.models.dilated import DilatedCNN as DilatedCNN
from lit_cnn.models.googlenet import GoogLeNet as GoogLeNet
from lit_cnn.models.inception_v2 import InceptionV2 as InceptionV2
from lit_cnn.models.inception_v3 import InceptionV3 as InceptionV3
from lit_cnn.models.lenet import LeNet as LeNet
from lit_cnn.models.mlp import MLP as MLP
from lit_cnn.models.pointwise import PointwiseCNN as PointwiseCNN
from lit_cnn.models.preact_resnet import PreActResNet as PreActResNet
from lit_cnn.models.registry import ARCHITECTURES as ARCHITECTURES
from lit_cnn.models.registry import Architecture as Architecture
from lit_cnn.models.resnet import ResNet as ResNet
from lit_cnn.models.vgg import VGG as VGG
from lit_cnn.models.zfnet import ZFNet as ZFNet


def create(name: str, **settings: Any) -> nn.Module:
    """Returns a network by its name.

    Args:
        name: One of `ARCHITECTURES`, in torchvision's spelling where torchvision has it.
        settings: Arguments of the network, such as `in_channels`, `num_classes`, `image_size`.

    Raises:
        ConfigError: If no network has this name, or it does not take one of the settings.
        ValueError: If the network rejects a value, such as an image size that is too small.

    Example:
        >>> sum(p.numel() for p in create("cnn", num_classes=10).parameters())
        6422
    """
    if name not in ARCHITECTURES:
        known = list(ARCHITECTURES)
        raise ConfigError(f"There is no network {name!r}.{nearest(name, known)} The networks are {', '.join(known)}.")
    build = ARCHITECTURES[name].build
    takes = [key for key in inspect.signature(build).parameters if key != "name"]
    for key in settings:
        if key not in takes:
            hint = f"{nearest(key, takes)} Its arguments are {', '.join(takes)}."
            raise ConfigError(f"{name} has no argument {key!r}.{hint}")
    return build(**settings)

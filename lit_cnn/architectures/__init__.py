"""One thin LightningModule for each family of networks: its network's arguments, flat, beside LitClassifier's."""

from functools import partial

from lit_cnn.architectures.classic import LitAlexNet, LitVGG, LitZFNet
from lit_cnn.architectures.inception import LitGoogLeNet, LitInceptionV2, LitInceptionV3
from lit_cnn.architectures.residual import LitCIFARResNet, LitPreActResNet, LitResNet
from lit_cnn.architectures.small import LitCNN, LitDilatedCNN, LitLeNet, LitMLP, LitPointwiseCNN
from lit_cnn.models import ARCHITECTURES


def family_of(name: str) -> tuple[str, dict[str, str]]:
    """Returns the Lit class of a network of the catalogue, by its name, and what tells the network from its family.

    Example:
        >>> family_of("resnet18"), family_of("alexnet")
        (('LitResNet', {'name': 'resnet18'}), ('LitAlexNet', {}))
    """
    build = ARCHITECTURES[name].build
    if isinstance(build, partial):
        return f"Lit{build.func.__name__}", {"name": name}
    return f"Lit{build.__name__}", {}


__all__ = [
    "LitAlexNet",
    "LitCIFARResNet",
    "LitCNN",
    "LitDilatedCNN",
    "LitGoogLeNet",
    "LitInceptionV2",
    "LitInceptionV3",
    "LitLeNet",
    "LitMLP",
    "LitPointwiseCNN",
    "LitPreActResNet",
    "LitResNet",
    "LitVGG",
    "LitZFNet",
]

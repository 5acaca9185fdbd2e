"""One thin LightningModule for each family of networks: its network's arguments, flat, beside LitClassifier's."""

from lit_cnn.training.architectures.classic import LitAlexNet, LitVGG, LitZFNet
from lit_cnn.training.architectures.inception import LitGoogLeNet, LitInceptionV2, LitInceptionV3
from lit_cnn.training.architectures.residual import LitCIFARResNet, LitPreActResNet, LitResNet
from lit_cnn.training.architectures.small import LitCNN, LitDilatedCNN, LitLeNet, LitMLP, LitPointwiseCNN

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

"""The Lit classes, one for each family of networks: `LitVGG` trains `models.VGG`, and takes its arguments."""

from functools import partial

from lit_cnn import models
from lit_cnn.training.lit_network import LitNetwork, LitNetworkWithAuxiliaryHeads


class LitMLP(LitNetwork, network=models.MLP):
    """A multilayer perceptron: fully connected layers over the pixels; 784-8-8-10 by default."""


class LitCNN(LitNetwork, network=models.CNN):
    """The small CNN of the permutation exercise: two 5 x 5 convolutions of 6 channels, a hidden layer of 50."""


class LitLeNet(LitNetwork, network=models.LeNet):
    """The small network for CIFAR-10: two 5 x 5 convolutions of 6 and 16 channels, then 120-84-10."""


class LitPointwiseCNN(LitNetwork, network=models.PointwiseCNN):
    """1 x 1 convolutions and an average over all pixels: sees the values of the pixels, but not their places."""


class LitDilatedCNN(LitNetwork, network=models.DilatedCNN):
    """3 x 3 convolutions with dilations 1, 2, 4 and 8, and an average over all pixels."""


class LitAlexNet(LitNetwork, network=models.AlexNet):
    """AlexNet: five convolutions, three fully connected layers with dropout."""


class LitZFNet(LitNetwork, network=models.ZFNet):
    """ZFNet: AlexNet with a gentler first layer and wider last convolutions."""


class LitVGG(LitNetwork, network=models.VGG):
    """A VGG: 3 x 3 convolutions; by default 8 of them with batch norm and one linear layer, for small images."""


class LitGoogLeNet(LitNetworkWithAuxiliaryHeads, network=models.GoogLeNet):
    """GoogLeNet, Inception v1: nine Inception blocks, and two auxiliary heads in training."""


class LitInceptionV2(LitNetwork, network=models.InceptionV2):
    """Inception v2: batch norm, and two 3 x 3 convolutions for each 5 x 5."""


class LitInceptionV3(LitNetworkWithAuxiliaryHeads, network=models.InceptionV3):
    """Inception v3: long kernels in two thin steps, and an auxiliary head in training."""


class LitResNet(LitNetwork, network=models.ResNet):
    """A ResNet, ResNeXt or Wide ResNet: residual blocks in four stages; ResNet-18 by default."""


class LitCIFARResNet(LitNetwork, network=models.CIFARResNet):
    """A ResNet for 32 x 32 pixels: residual blocks in three stages; ResNet-20 by default."""


class LitPreActResNet(LitNetwork, network=models.PreActResNet):
    """Pre-activation ResNet-18, by default, and Wide ResNets: residual blocks that normalise before they convolve."""


def family_of(name: str) -> tuple[str, dict[str, str]]:
    """Returns the Lit class of a network of the registry, by its name, and what tells the network from its family.

    Example:
        >>> family_of("resnet18"), family_of("alexnet")
        (('LitResNet', {'name': 'resnet18'}), ('LitAlexNet', {}))
    """
    build = models.ARCHITECTURES[name].build
    if isinstance(build, partial):
        return f"Lit{build.func.__name__}", {"name": name}
    return f"Lit{build.__name__}", {}

"""The Lit classes, one for each family of networks: `LitVGG` trains `models.VGG` and takes its arguments."""

from lit_cnn import models
from lit_cnn.training.lit_network import LitNetwork, LitNetworkWithAuxiliaryHeads


class LitMLP(LitNetwork, network=models.MLP):
    """A multilayer perceptron: fully connected layers over the pixels; 784-8-8-10 by default."""


class LitCNN(LitNetwork, network=models.CNN):
    """The small CNN of the permutation experiment: two 5 x 5 convolutions of 6 channels, a hidden layer of 50."""


class LitLeNet(LitNetwork, network=models.LeNet):
    """LeNet-5: two 5 x 5 convolutions of 6 and 16 channels, then linear layers 120-84-10."""


class LitPointwiseCNN(LitNetwork, network=models.PointwiseCNN):
    """A CNN of 1 x 1 convolutions and global average pooling: sees pixel values, but not their places."""


class LitDilatedCNN(LitNetwork, network=models.DilatedCNN):
    """A dilated CNN: 3 x 3 convolutions with dilations 1, 2, 4 and 8, and global average pooling."""


class LitAlexNet(LitNetwork, network=models.AlexNet):
    """AlexNet: five convolutions, three fully connected layers with dropout."""


class LitZFNet(LitNetwork, network=models.ZFNet):
    """ZFNet: AlexNet with a gentler first layer and wider last convolutions."""


class LitVGG(LitNetwork, network=models.VGG):
    """A VGG: 3 x 3 convolutions; by default 8 of them with batch norm and one linear layer, for small images."""


class LitGoogLeNet(LitNetworkWithAuxiliaryHeads, network=models.GoogLeNet):
    """GoogLeNet (Inception v1): nine Inception blocks, and two auxiliary heads in training."""


class LitInceptionV2(LitNetwork, network=models.InceptionV2):
    """Inception v2 (BN-Inception): batch norm, and two 3 x 3 convolutions for each 5 x 5."""


class LitInceptionV3(LitNetworkWithAuxiliaryHeads, network=models.InceptionV3):
    """Inception v3: factorised convolutions such as 1 x 7 and 7 x 1, and an auxiliary head in training."""


class LitResNet(LitNetwork, network=models.ResNet):
    """A ResNet, ResNeXt or Wide ResNet: residual blocks in four stages; ResNet-18 by default."""


class LitCIFARResNet(LitNetwork, network=models.CIFARResNet):
    """A CIFAR ResNet for 32 x 32 pixels: residual blocks in three stages; ResNet-20 by default."""


class LitPreActResNet(LitNetwork, network=models.PreActResNet):
    """Pre-activation ResNet-18, by default, or a Wide ResNet: batch norm and ReLU before each convolution."""


class LitAirbench(LitNetwork, network=models.Airbench):
    """Airbench: the network of the fastest trainings to 94 and 96 % on CIFAR-10, with a whitening first layer."""

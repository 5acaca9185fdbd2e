"""One thin LightningModule for each architecture: its network's arguments, flat, beside LitClassifier's."""

from collections.abc import Sequence
from typing import Any, Literal

from lit_cnn.classifiers import LitClassifier
from lit_cnn.models import CNN, MLP, VGG, LeNet, ResNet
from lit_cnn.models.resnet import ResNetName
from lit_cnn.models.stem import Stem
from lit_cnn.models.vgg import WIDTHS


class LitMLP(LitClassifier):
    """A multilayer perceptron: fully connected layers over the pixels; 784-8-8-10 by default.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels.
        hidden: Units of each hidden layer.
        **kwargs: Arguments of LitClassifier.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 28,
        hidden: Sequence[int] = (8, 8),
        **kwargs: Any,
    ):
        super().__init__(MLP(in_channels, num_classes, image_size, hidden), num_classes, **kwargs)


class LitCNN(LitClassifier):
    """The small CNN of the permutation exercise: two 5 x 5 convolutions of 6 maps, a hidden layer of 50.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels.
        widths: Output channels of each convolution.
        hidden: Units of each hidden layer behind the convolutions.
        kernel_size: Height and width of the kernels, in pixels.
        **kwargs: Arguments of LitClassifier.
    """

    network = CNN

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 28,
        widths: Sequence[int] = (6, 6),
        hidden: Sequence[int] = (50,),
        kernel_size: int = 5,
        **kwargs: Any,
    ):
        net = self.network(in_channels, num_classes, image_size, widths, hidden, kernel_size)
        super().__init__(net, num_classes, **kwargs)


class LitLeNet(LitCNN):
    """The small network for CIFAR-10: two 5 x 5 convolutions of 6 and 16 maps, then 120-84-10.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels.
        widths: Output channels of each convolution.
        hidden: Units of each hidden layer behind the convolutions.
        **kwargs: Arguments of LitCNN and LitClassifier.
    """

    network = LeNet

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 32,
        widths: Sequence[int] = (6, 16),
        hidden: Sequence[int] = (120, 84),
        **kwargs: Any,
    ):
        super().__init__(in_channels, num_classes, image_size, widths, hidden, **kwargs)


class LitVGG(LitClassifier):
    """A VGG for small images: 3 x 3 convolutions with batch norm, one linear layer; 8 convolutions by default.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels.
        widths: Output channels of each convolution; "M" is a max pooling that halves height and width.
        batch_norm: Normalise each convolution's output over the batch.
        **kwargs: Arguments of LitClassifier.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 32,
        widths: Sequence[int | Literal["M"]] = WIDTHS,
        batch_norm: bool = True,
        **kwargs: Any,
    ):
        super().__init__(VGG(in_channels, num_classes, image_size, widths, batch_norm), num_classes, **kwargs)


class LitResNet(LitClassifier):
    """A ResNet, ResNeXt or Wide ResNet: residual blocks in four stages; ResNet-18 by default.

    Args:
        name: torchvision's name of the architecture.
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels.
        stem: imagenet, a 7 x 7 convolution and a pooling that leave a quarter of height and width; small, a
            3 x 3 convolution that leaves all; or auto, small for images of up to 64 pixels.
        zero_init_residual: Let every block start as the identity.
        **kwargs: Arguments of LitClassifier.
    """

    def __init__(
        self,
        name: ResNetName = "resnet18",
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 32,
        stem: Stem = "auto",
        zero_init_residual: bool = False,
        **kwargs: Any,
    ):
        net = ResNet(name, in_channels, num_classes, image_size, stem, zero_init_residual)
        super().__init__(net, num_classes, **kwargs)

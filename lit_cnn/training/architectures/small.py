"""The small networks of the permutation question, and LeNet."""

from collections.abc import Sequence
from typing import Any

from lit_cnn.models import CNN, MLP, DilatedCNN, LeNet, PointwiseCNN
from lit_cnn.training.classifier import LitClassifier


class LitMLP(LitClassifier):
    """A multilayer perceptron: fully connected layers over the pixels; 784-8-8-10 by default.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels.
        hidden: Units of each hidden layer.
        **kwargs: Arguments of LitClassifier.

    Example:
        >>> import torch
        >>> LitMLP(hidden=[8, 8]).eval()(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
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

    Example:
        >>> import torch
        >>> LitCNN().eval()(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
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

    Example:
        >>> import torch
        >>> LitLeNet().eval()(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
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


class LitPointwiseCNN(LitClassifier):
    """1 x 1 convolutions and an average over all pixels: knows the values of an image, and never their places.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels; makes no difference.
        widths: Output channels of each convolution.
        **kwargs: Arguments of LitClassifier.

    Example:
        >>> import torch
        >>> LitPointwiseCNN().eval()(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 28,
        widths: Sequence[int] = (74, 74),
        **kwargs: Any,
    ):
        super().__init__(PointwiseCNN(in_channels, num_classes, image_size, widths), num_classes, **kwargs)


class LitDilatedCNN(LitClassifier):
    """3 x 3 convolutions whose taps lie 1, 2, 4 and 8 pixels apart, and an average over all pixels.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels; makes no difference.
        width: Output channels of each convolution.
        dilations: Distance in pixels between the taps of each convolution; 1 is an ordinary one.
        **kwargs: Arguments of LitClassifier.

    Example:
        >>> import torch
        >>> LitDilatedCNN().eval()(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 28,
        width: int = 15,
        dilations: Sequence[int] = (1, 2, 4, 8),
        **kwargs: Any,
    ):
        super().__init__(DilatedCNN(in_channels, num_classes, image_size, width, dilations), num_classes, **kwargs)

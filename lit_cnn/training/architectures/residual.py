"""Residual networks."""

from collections.abc import Sequence
from typing import Any

from lit_cnn.models import CIFARResNet, PreActResNet, ResNet
from lit_cnn.models.cifar_resnet import CIFARResNetName
from lit_cnn.models.preact_resnet import PreActResNetName
from lit_cnn.models.resnet import ResNetName
from lit_cnn.models.stem import Stem
from lit_cnn.training.classifier import LitClassifier


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
        weights: Where to start from: IMAGENET1K_V1, or the path of a state dict or checkpoint.
        freeze_body: Train the last layer alone.
        **kwargs: Arguments of LitClassifier.

    Example:
        >>> import torch
        >>> LitResNet(name="resnet18").eval()(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        name: ResNetName = "resnet18",
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 32,
        stem: Stem = "auto",
        zero_init_residual: bool = False,
        weights: str | None = None,
        freeze_body: bool = False,
        **kwargs: Any,
    ):
        net = ResNet(
            name,
            in_channels,
            num_classes,
            image_size,
            stem=stem,
            zero_init_residual=zero_init_residual,
            weights=weights,
            freeze_body=freeze_body,
        )
        super().__init__(net, num_classes, **kwargs)


class LitCIFARResNet(LitClassifier):
    """A ResNet for 32 x 32 pixels: residual blocks in three stages; ResNet-20 by default.

    Args:
        name: resnet20, 32, 44, 56 or 110; or resnext29_8x64d.
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels.
        zero_init_residual: Let every block start as the identity.
        weights: Where to start from: the path of a state dict or checkpoint.
        freeze_body: Train the last layer alone.
        **kwargs: Arguments of LitClassifier.

    Example:
        >>> import torch
        >>> LitCIFARResNet().eval()(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        name: CIFARResNetName = "resnet20",
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 32,
        zero_init_residual: bool = False,
        weights: str | None = None,
        freeze_body: bool = False,
        **kwargs: Any,
    ):
        net = CIFARResNet(
            name,
            in_channels,
            num_classes,
            image_size,
            zero_init_residual=zero_init_residual,
            weights=weights,
            freeze_body=freeze_body,
        )
        super().__init__(net, num_classes, **kwargs)


class LitPreActResNet(LitClassifier):
    """Residual blocks that normalise before they convolve: pre-activation ResNet-18, by default, and the wide ones.

    Args:
        name: preact_resnet18, wide_resnet16_4 (WRN-16-4) or wide_resnet28_10 (WRN-28-10).
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels.
        dropout: Share of what is between the two convolutions of a block that is dropped in training.
        zero_init_residual: Let every block start as the identity.
        weights: Where to start from: the path of a state dict or checkpoint.
        freeze_body: Train the last layer alone.
        **kwargs: Arguments of LitClassifier.

    Example:
        >>> import torch
        >>> LitPreActResNet().eval()(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        name: PreActResNetName = "preact_resnet18",
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 32,
        dropout: float = 0.0,
        zero_init_residual: bool = False,
        weights: str | None = None,
        freeze_body: bool = False,
        **kwargs: Any,
    ):
        net = PreActResNet(
            name,
            in_channels,
            num_classes,
            image_size,
            dropout=dropout,
            zero_init_residual=zero_init_residual,
            weights=weights,
            freeze_body=freeze_body,
        )
        super().__init__(net, num_classes, **kwargs)

"""Plain stacks of convolutions: AlexNet, ZFNet and VGG."""

from collections.abc import Sequence
from typing import Any, Literal

from lit_cnn.models import VGG, AlexNet, ZFNet
from lit_cnn.models.stem import Stem
from lit_cnn.models.vgg import VGGName, Widths
from lit_cnn.training.classifier import LitClassifier


class LitAlexNet(LitClassifier):
    """AlexNet: five convolutions, three fully connected layers with dropout.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels.
        stem: imagenet, a first convolution of 11 x 11 and stride 4; small, of 5 x 5 and stride 1; or auto, small for
            images of up to 64 pixels.
        hidden: Units of each of the two hidden layers behind the convolutions.
        dropout: Share of the inputs of both hidden layers that is dropped in training.
        lrn: Normalise the first two layers' output over five neighbouring maps, as the paper does.
        init: torch, its own default; or paper, normal of deviation 0.01 with biases of 0 and 1.
        weights: Where to start from: IMAGENET1K_V1, or the path of a state dict or checkpoint.
        freeze_body: Train the last layer alone.
        **kwargs: Arguments of LitClassifier.

    Example:
        >>> import torch
        >>> LitAlexNet().eval()(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 32,
        stem: Stem = "auto",
        hidden: int = 4096,
        dropout: float = 0.5,
        lrn: bool = False,
        init: Literal["torch", "paper"] = "torch",
        weights: str | None = None,
        freeze_body: bool = False,
        **kwargs: Any,
    ):
        net = AlexNet(
            in_channels,
            num_classes,
            image_size,
            stem=stem,
            hidden=hidden,
            dropout=dropout,
            lrn=lrn,
            init=init,
            weights=weights,
            freeze_body=freeze_body,
        )
        super().__init__(net, num_classes, **kwargs)


class LitZFNet(LitClassifier):
    """ZFNet: AlexNet with a gentler first layer and wider last convolutions.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels.
        stem: imagenet, 7 x 7 of stride 2 and 5 x 5 of stride 2; small, 3 x 3 and 5 x 5 of stride 1; or auto, small
            for images of up to 64 pixels.
        widths: Maps of each of the five convolutions.
        hidden: Units of each of the two hidden layers behind the convolutions.
        dropout: Share of the inputs of both hidden layers that is dropped in training.
        lrn: Normalise the first two layers' output over five neighbouring maps.
        init: torch, its own default; or paper, normal of deviation 0.01 with biases of 0.
        weights: Where to start from: the path of a state dict or checkpoint.
        freeze_body: Train the last layer alone.
        **kwargs: Arguments of LitClassifier.

    Example:
        >>> import torch
        >>> LitZFNet().eval()(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 32,
        stem: Stem = "auto",
        widths: Sequence[int] = (96, 256, 512, 1024, 512),
        hidden: int = 4096,
        dropout: float = 0.5,
        lrn: bool = True,
        init: Literal["torch", "paper"] = "torch",
        weights: str | None = None,
        freeze_body: bool = False,
        **kwargs: Any,
    ):
        net = ZFNet(
            in_channels,
            num_classes,
            image_size,
            stem=stem,
            widths=widths,
            hidden=hidden,
            dropout=dropout,
            lrn=lrn,
            init=init,
            weights=weights,
            freeze_body=freeze_body,
        )
        super().__init__(net, num_classes, **kwargs)


class LitVGG(LitClassifier):
    """A VGG: 3 x 3 convolutions; by default 8 of them with batch norm and one linear layer, for small images.

    Args:
        name: torchvision's name of the architecture; or vgg8_bn, which has the small stem at any size.
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels.
        widths: Output channels of each convolution, in place of those of the name; "M" is a max pooling that halves
            height and width.
        batch_norm: Normalise each convolution's output over the batch; by default as the name says.
        stem: imagenet, three linear layers behind 7 x 7 pixels; small, one behind an average over all pixels; or
            auto, small for images of up to 64 pixels.
        dropout: Share of both hidden layers' output that is dropped in training, with the stem imagenet.
        init: he, He et al.'s 2015; paper, normal of deviation 0.01; or torch, its own default. By default he, but torch
            for vgg8_bn.
        weights: Where to start from: IMAGENET1K_V1, or the path of a state dict or checkpoint.
        freeze_body: Train the last layer alone.
        **kwargs: Arguments of LitClassifier.

    Example:
        >>> import torch
        >>> LitVGG().eval()(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        name: VGGName = "vgg8_bn",
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 32,
        widths: Widths | None = None,
        batch_norm: bool | None = None,
        stem: Stem = "auto",
        dropout: float = 0.5,
        init: Literal["he", "paper", "torch"] | None = None,
        weights: str | None = None,
        freeze_body: bool = False,
        **kwargs: Any,
    ):
        net = VGG(
            name,
            in_channels,
            num_classes,
            image_size,
            widths=widths,
            batch_norm=batch_norm,
            stem=stem,
            dropout=dropout,
            init=init,
            weights=weights,
            freeze_body=freeze_body,
        )
        super().__init__(net, num_classes, **kwargs)

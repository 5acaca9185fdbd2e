"""Networks of Inception blocks, and how their auxiliary heads reach the loss."""

from collections.abc import Sequence
from typing import Any, Literal

from jaxtyping import Float, Int64
from torch import Tensor

from lit_cnn.models import GoogLeNet, InceptionV2, InceptionV3
from lit_cnn.models.stem import Stem
from lit_cnn.training.classifier import LitClassifier


class WithAuxiliaryHeads:
    """Adds the losses of a network's auxiliary heads in training, all with the weight `aux_weight`; a mixin."""

    net: Any
    loss: Any
    hparams: Any

    def loss_of(
        self, images: Float[Tensor, "b c h w"], labels: Int64[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b k"], Float[Tensor, ""]]:
        """Returns logits, and the loss that all heads are trained by."""
        logits, auxiliary = self.net.forward_with_aux(images)
        losses = [self.loss(head.float(), labels) for head in (logits, *auxiliary)]
        return logits.float(), losses[0] + self.hparams["aux_weight"] * sum(losses[1:])


class LitGoogLeNet(WithAuxiliaryHeads, LitClassifier):
    """GoogLeNet, Inception v1: nine Inception blocks, and two auxiliary heads in training.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels.
        stem: imagenet, whose first block sees an eighth of height and width; small, whose first block sees all; or
            auto, small for images of up to 64 pixels.
        aux_weight: Weight of each auxiliary head in the loss; 0 leaves them out.
        dropout: Share of the last layer's inputs that is dropped in training; the paper drops 0.4.
        dropout_aux: The same in the auxiliary heads.
        true_5x5: Have the paper's 5 x 5 kernels in the third branch of the blocks, where torchvision has 3 x 3.
        lrn: Normalise over five neighbouring maps behind the first pooling and before the second, as the paper.
        init: truncated, torchvision's normal distribution; or torch, its own default.
        transform_input: Bring images normalised by ImageNet's mean and deviation to the range that torchvision's
            published weights were trained with.
        weights: Where to start from: IMAGENET1K_V1, or the path of a state dict or checkpoint.
        freeze_body: Train the last layer alone.
        **kwargs: Arguments of LitClassifier.

    Example:
        >>> import torch
        >>> LitGoogLeNet().eval()(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 32,
        stem: Stem = "auto",
        aux_weight: float = 0.3,
        dropout: float = 0.2,
        dropout_aux: float = 0.7,
        true_5x5: bool = False,
        lrn: bool = False,
        init: Literal["truncated", "torch"] = "truncated",
        transform_input: bool = False,
        weights: str | None = None,
        freeze_body: bool = False,
        **kwargs: Any,
    ):
        net = GoogLeNet(
            in_channels,
            num_classes,
            image_size,
            stem=stem,
            aux_logits=aux_weight > 0,
            dropout=dropout,
            dropout_aux=dropout_aux,
            true_5x5=true_5x5,
            lrn=lrn,
            init=init,
            transform_input=transform_input,
            weights=weights,
            freeze_body=freeze_body,
        )
        super().__init__(net, num_classes, **kwargs)


class LitInceptionV2(LitClassifier):
    """Inception v2: batch norm, and two 3 x 3 convolutions for each 5 x 5.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels.
        stem: imagenet, whose first block sees an eighth of height and width; small, whose first block sees all; or
            auto, small for images of up to 64 pixels.
        dropout: Share of the last layer's inputs that is dropped in training; the paper drops none.
        weights: Where to start from: the path of a state dict or checkpoint.
        freeze_body: Train the last layer alone.
        **kwargs: Arguments of LitClassifier.

    Example:
        >>> import torch
        >>> LitInceptionV2().eval()(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 32,
        stem: Stem = "auto",
        dropout: float = 0.0,
        weights: str | None = None,
        freeze_body: bool = False,
        **kwargs: Any,
    ):
        net = InceptionV2(
            in_channels, num_classes, image_size, stem=stem, dropout=dropout, weights=weights, freeze_body=freeze_body
        )
        super().__init__(net, num_classes, **kwargs)


class LitInceptionV3(WithAuxiliaryHeads, LitClassifier):
    """Inception v3: long kernels in two thin steps, and an auxiliary head in training.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels.
        stem: imagenet, whose first block sees an eighth of height and width; small, whose first block sees almost
            all; or auto, small for images of up to 64 pixels.
        aux_weight: Weight of the auxiliary head in the loss; 0 leaves it out.
        dropout: Share of the last layer's inputs that is dropped in training; the paper drops 0.2.
        init: truncated, torchvision's normal distribution; or torch, its own default.
        transform_input: Bring images normalised by ImageNet's mean and deviation to the range that torchvision's
            published weights were trained with.
        weights: Where to start from: IMAGENET1K_V1, or the path of a state dict or checkpoint.
        freeze_body: Train the last layer alone.
        **kwargs: Arguments of LitClassifier.

    Example:
        >>> import torch
        >>> LitInceptionV3().eval()(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 32,
        stem: Stem = "auto",
        aux_weight: float = 0.3,
        dropout: float = 0.5,
        init: Literal["truncated", "torch"] = "truncated",
        transform_input: bool = False,
        weights: str | None = None,
        freeze_body: bool = False,
        **kwargs: Any,
    ):
        net = InceptionV3(
            in_channels,
            num_classes,
            image_size,
            stem=stem,
            aux_logits=aux_weight > 0,
            dropout=dropout,
            init=init,
            transform_input=transform_input,
            weights=weights,
            freeze_body=freeze_body,
        )
        super().__init__(net, num_classes, **kwargs)

"""GoogLeNet (Inception v1): parallel convolutions of several kernel sizes.

Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke & Rabinovich 2015, https://arxiv.org/abs/1409.4842,
table 1.
Differs: the layers are torchvision's, with batch norm after each convolution, 3 x 3 kernels where the paper has 5 x 5,
and no local response normalisation; `true_5x5` and `lrn` bring the last two back.
"""

from collections.abc import Sequence
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor, nn
from torchvision import models as torchvision_models
from torchvision.models.googlenet import BasicConv2d, Inception, InceptionAux

from lit_cnn.models.layers import local_response_norm
from lit_cnn.models.pretrained import Pretrained
from lit_cnn.models.stem import Stem, choose_stem
from lit_cnn.typed_arguments import Share

# Smallest side: the last pooling, which rounds up, has two pixels.
SMALLEST = {"imagenet": 31, "small": 4}

InceptionInit = Literal["truncated", "torch"]


class WithAuxiliaryHeads(Pretrained):
    """Base of torchvision's Inceptions, which have auxiliary heads for training.

    Args:
        transform_input: Rescale images normalised with ImageNet's mean and standard deviation to the range that
            torchvision's pretrained weights expect.
        freeze_body: Freeze the backbone: train the last layer and those of the auxiliary heads only.

    Raises:
        ValueError: If the weights are torchvision's and `transform_input` is false.
    """

    _forward: Any
    _transform_input: Any

    def start_from(self, name: str, weights: str | None, freeze_body: bool) -> None:
        """Loads pretrained weights, and refuses torchvision's without the pixel range that they were trained with."""
        if weights is not None and weights.startswith("IMAGENET1K") and not self.transform_input:
            raise ValueError(
                f"`weights` {weights} of {name} were trained on pixels of another range. Set `transform_input: true`."
            )
        super().start_from(name, weights, freeze_body)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        return self.forward_with_aux(images)[0]

    def forward_with_aux(
        self, images: Float[Tensor, "b c h w"]
    ) -> tuple[Float[Tensor, "b k"], list[Float[Tensor, "b k"]]]:
        """Returns logits, and in training those of the auxiliary heads."""
        logits, *aux = self._forward(self._transform_input(images))
        return logits, [a for a in aux if a is not None]


class GoogLeNet(WithAuxiliaryHeads, torchvision_models.GoogLeNet):
    """Nine Inception blocks, global average pooling, one linear layer, and two auxiliary heads for training.

    With the stem imagenet and colour images it is torchvision's network, with the same state dict keys.

    Args:
        stem: imagenet, which divides height and width by 8 before the first block; small, a first convolution of 3 x 3
            and stride 1 and no pooling, which keeps them; or auto, small for images of up to 64 pixels.
        aux_logits: Add the auxiliary heads, after blocks 4a and 4d.
        dropout: Dropout probability before the last layer; 0.4 in the paper.
        dropout_aux: The same in the auxiliary heads.
        true_5x5: Use the paper's 5 x 5 kernels in the third branch of the blocks.
        lrn: Local response normalisation after the first pooling and before the second, as in the paper.
        init: truncated, torchvision's normal with standard deviation 0.01; or torch, PyTorch's default.
    """

    heads = ("fc", "aux1.fc2", "aux2.fc2")
    auxiliary = ("aux1", "aux2")

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] | None = None,
        stem: Stem = "auto",
        aux_logits: bool = True,
        dropout: Share = 0.2,
        dropout_aux: Share = 0.7,
        true_5x5: bool = False,
        lrn: bool = False,
        init: InceptionInit = "truncated",
        transform_input: bool = False,
        weights: str | None = None,
        freeze_body: bool = False,
    ):
        chosen = choose_stem(stem, image_size, "googlenet", SMALLEST)
        truncated = init == "truncated"
        blocks = [BasicConv2d, Inception5x5 if true_5x5 else Inception, InceptionAux]
        super().__init__(num_classes, aux_logits, transform_input, truncated, blocks, dropout, dropout_aux)
        if chosen == "small" or in_channels != 3:
            size, stride = (3, 1) if chosen == "small" else (7, 2)
            self.conv1 = BasicConv2d(in_channels, 64, kernel_size=size, stride=stride, padding=size // 2)
            if truncated:
                nn.init.trunc_normal_(self.conv1.conv.weight, std=0.01)
        if chosen == "small":
            self.maxpool1: nn.Module = nn.Identity()
            self.maxpool2: nn.Module = nn.Identity()
        if lrn:
            self.maxpool1 = nn.Sequential(self.maxpool1, local_response_norm())
            self.maxpool2 = nn.Sequential(local_response_norm(), self.maxpool2)
        self.start_from("googlenet", weights, freeze_body)


class Inception5x5(Inception):
    """torchvision's Inception block with the paper's 5 x 5 kernels in the third branch."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        reduced, wide = (layer.conv for layer in self.branch3)
        self.branch3[1] = BasicConv2d(reduced.out_channels, wide.out_channels, kernel_size=5, padding=2)

"""Inception v3: factorised convolutions, such as 1 x 7 followed by 7 x 1.

Szegedy, Vanhoucke, Ioffe, Shlens & Wojna 2016, https://arxiv.org/abs/1512.00567, table 1.
Differs: the layers are torchvision's. The auxiliary head also works on fewer than 17 x 17 pixels, which images below
299 pixels leave.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import models as torchvision_models
from torchvision.models import inception
from torchvision.models.inception import BasicConv2d, InceptionA, InceptionB, InceptionC, InceptionD, InceptionE

from lit_cnn.models.googlenet import InceptionInit, WithAuxiliaryHeads
from lit_cnn.models.stem import Stem, choose_stem
from lit_cnn.sizes import ImageSize
from lit_cnn.typed_arguments import Share

# Smallest side: the last pooling of 3 x 3 has a whole window.
SMALLEST = {"imagenet": 75, "small": 11}


class InceptionV3(WithAuxiliaryHeads, torchvision_models.Inception3):
    """Eleven Inception blocks, global average pooling, one linear layer, and an auxiliary head for training.

    With the stem imagenet and colour images it is torchvision's network, with the same state dict keys.

    Args:
        stem: imagenet, for the paper's 299 x 299 pixels; small, a first convolution of stride 1 and no pooling, which
            leaves 28 x 28 of 32 x 32 pixels to the first block; or auto, small for images of up to 64 pixels.
        aux_logits: Add the auxiliary head.
        dropout: Dropout probability before the last layer; 0.2 in the paper.
        init: truncated, torchvision's normal with standard deviation 0.1; or torch, PyTorch's default.
    """

    heads = ("fc", "AuxLogits.fc")
    auxiliary = ("AuxLogits",)

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: ImageSize | None = None,
        stem: Stem = "auto",
        aux_logits: bool = True,
        dropout: Share = 0.5,
        init: InceptionInit = "truncated",
        transform_input: bool = False,
        weights: str | None = None,
        freeze_body: bool = False,
    ):
        chosen = choose_stem(stem, image_size, "inception_v3", SMALLEST)
        truncated = init == "truncated"
        blocks = [BasicConv2d, InceptionA, InceptionB, InceptionC, InceptionD, InceptionE, InceptionAux]
        super().__init__(num_classes, aux_logits, transform_input, blocks, truncated, dropout)
        if chosen == "small":
            self.maxpool1, self.maxpool2 = nn.Identity(), nn.Identity()
        if chosen == "small" or in_channels != 3:
            stride, padding = (1, 1) if chosen == "small" else (2, 0)
            self.Conv2d_1a_3x3 = BasicConv2d(in_channels, 32, kernel_size=3, stride=stride, padding=padding)
            if truncated:
                nn.init.trunc_normal_(self.Conv2d_1a_3x3.conv.weight, std=0.1)
        self.start_from("inception_v3", weights, freeze_body)


class InceptionAux(inception.InceptionAux):
    """torchvision's auxiliary head, for feature maps of any size."""

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        if min(maps.shape[2:]) >= 17:  # what 299 pixels leave
            return super().forward(maps)
        maps = self.conv1(self.conv0(F.adaptive_avg_pool2d(maps, 5)))
        return self.fc(maps.flatten(1))

"""Inception v2 (BN-Inception): batch norm, and two 3 x 3 convolutions for each 5 x 5.

Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167, figure 5.
Differs: blocks 4c and 4d have 608 channels, the sum of the figure's columns, not the 576 that it states. The first
convolution is an ordinary one.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models.googlenet import BasicConv2d

from lit_cnn.models.pretrained import Pretrained
from lit_cnn.models.stem import Stem, choose_stem
from lit_cnn.sizes import ImageSize
from lit_cnn.typed_arguments import Share

# Smallest side: the last block of stride 2 has two pixels.
SMALLEST = {"imagenet": 17, "small": 3}

# Channels of: 1 x 1; 3 x 3 reduced, 3 x 3; double 3 x 3 reduced, double 3 x 3; pooled and projected.
# Blocks without 1 x 1 have stride 2 and do not project the pooled channels.
BLOCKS = {
    "3a": (64, 64, 64, 64, 96, 32),
    "3b": (64, 64, 96, 64, 96, 64),
    "3c": (0, 128, 160, 64, 96, 0),
    "4a": (224, 64, 96, 96, 128, 128),
    "4b": (192, 96, 128, 96, 128, 128),
    "4c": (160, 128, 160, 128, 160, 128),
    "4d": (96, 128, 192, 160, 192, 128),
    "4e": (0, 128, 192, 192, 256, 0),
    "5a": (352, 192, 320, 160, 224, 128),
    "5b": (352, 192, 320, 192, 224, 128),
}


class InceptionV2(Pretrained):
    """Ten Inception blocks, global average pooling, and one linear layer.

    Args:
        stem: imagenet, which divides height and width by 8 before the first block; small, a first convolution of 3 x 3
            and stride 1 and no pooling, which keeps them; or auto, small for images of up to 64 pixels.
        dropout: Dropout probability before the last layer; the paper has none.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: ImageSize | None = None,
        stem: Stem = "auto",
        dropout: Share = 0.0,
        weights: str | None = None,
        freeze_body: bool = False,
    ):
        super().__init__()
        chosen = choose_stem(stem, image_size, "inception_v2", SMALLEST)
        size, stride = (7, 2) if chosen == "imagenet" else (3, 1)
        pools = [nn.MaxPool2d(3, 2, padding=1) if chosen == "imagenet" else nn.Identity() for _ in range(2)]
        self.stem = nn.Sequential(
            *(BasicConv2d(in_channels, 64, kernel_size=size, stride=stride, padding=size // 2), pools[0]),
            *(BasicConv2d(64, 64, kernel_size=1), BasicConv2d(64, 192, kernel_size=3, padding=1), pools[1]),
        )
        self.blocks = nn.Sequential()
        channels = 192
        for key, widths in BLOCKS.items():
            block = Block(channels, widths, nn.MaxPool2d if key == "5b" else nn.AvgPool2d)
            self.blocks.add_module(f"inception{key}", block)
            channels = block.out_channels
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, num_classes)
        self.start_from("inception_v2", weights, freeze_body)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        return self.fc(self.dropout(self.blocks(self.stem(images)).mean(dim=(2, 3))))


class Block(nn.Module):
    """Inception block of four parallel branches, by a line of `BLOCKS`; without the 1 x 1, of three with stride 2."""

    def __init__(self, in_channels: int, widths: tuple[int, ...], pool: type[nn.MaxPool2d | nn.AvgPool2d]):
        super().__init__()
        ones, reduced_3x3, out_3x3, reduced_double, out_double, projected = widths
        stride = 1 if ones else 2
        first = [BasicConv2d(in_channels, ones, kernel_size=1)] if ones else []
        single = nn.Sequential(
            BasicConv2d(in_channels, reduced_3x3, kernel_size=1),
            BasicConv2d(reduced_3x3, out_3x3, kernel_size=3, stride=stride, padding=1),
        )
        double = nn.Sequential(
            BasicConv2d(in_channels, reduced_double, kernel_size=1),
            BasicConv2d(reduced_double, out_double, kernel_size=3, padding=1),
            BasicConv2d(out_double, out_double, kernel_size=3, stride=stride, padding=1),
        )
        pooled: nn.Module = nn.MaxPool2d(3, 2, padding=1)
        if ones:
            pooled = nn.Sequential(pool(3, 1, padding=1), BasicConv2d(in_channels, projected, kernel_size=1))
        self.branches = nn.ModuleList([*first, single, double, pooled])
        self.out_channels = ones + out_3x3 + out_double + (projected if ones else in_channels)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        return torch.cat([branch(maps) for branch in self.branches], dim=1)

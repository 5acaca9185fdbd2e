"""Pre-activation ResNet and Wide ResNet (WRN): batch norm and ReLU before each convolution.

He, Zhang, Ren & Sun 2016, https://arxiv.org/abs/1603.05027, figure 1b.
Zagoruyko & Komodakis 2016, https://arxiv.org/abs/1605.07146, table 1: WRN-d-k, 16k, 32k and 64k channels.
Differs: the pre-activation ResNet-18 usual on CIFAR, a 3 x 3 convolution of stride 1 and then the stages of ResNet-18;
the paper's own networks are deeper.
"""

from collections.abc import Sequence
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from lit_cnn.models.layers import initialise, variant
from lit_cnn.models.pretrained import Pretrained
from lit_cnn.models.stem import refuse_small_images
from lit_cnn.typed_arguments import Share

PreActResNetName = Literal["preact_resnet18", "wide_resnet16_4", "wide_resnet28_10"]

# Channels of the first convolution, channels of each stage, blocks per stage.
VARIANTS: dict[str, tuple[int, tuple[int, ...], int]] = {
    "preact_resnet18": (64, (64, 128, 256, 512), 2),
    "wide_resnet16_4": (16, (64, 128, 256), 2),
    "wide_resnet28_10": (16, (160, 320, 640), 4),
}

# Smallest side: the last stage has two pixels to halve.
SMALLEST = {"preact_resnet18": 5, "wide_resnet16_4": 3, "wide_resnet28_10": 3}


class PreActResNet(Pretrained):
    """A 3 x 3 convolution, stages of pre-activation blocks, global average pooling and one linear layer.

    Args:
        name: preact_resnet18, wide_resnet16_4 (WRN-16-4) or wide_resnet28_10 (WRN-28-10).
        dropout: Dropout probability between the two convolutions of a block; Zagoruyko & Komodakis use 0 or 0.3.
        zero_init_residual: Start every block as the identity: the weights of its last convolution are zero, since no
            batch norm follows it (Zhang et al. 2019, https://arxiv.org/abs/1901.09321, section 3).
    """

    def __init__(
        self,
        name: PreActResNetName = "preact_resnet18",
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 32,
        dropout: Share = 0.0,
        zero_init_residual: bool = False,
        weights: str | None = None,
        freeze_body: bool = False,
    ):
        super().__init__()
        channels, widths, depth = variant(name, VARIANTS)
        refuse_small_images(f"{name} needs", SMALLEST[name], image_size)
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=3, padding=1, bias=False)
        self.stages = nn.Sequential()
        for width in widths:
            stage = nn.Sequential()
            for i in range(depth):
                stage.append(PreActBlock(channels, width, 2 if i == 0 and width != widths[0] else 1, dropout))
                channels = width
            self.stages.append(stage)
        self.norm = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))
        self.fc = nn.Linear(channels, num_classes)
        initialise([m for m in self.modules() if isinstance(m, nn.Conv2d)], he=True)
        for block in self.modules():
            if zero_init_residual and isinstance(block, PreActBlock):
                nn.init.zeros_(block.conv2.weight)
        self.start_from(name, weights, freeze_body)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        return self.fc(self.norm(self.stages(self.conv1(images))).mean(dim=(2, 3)))


class PreActBlock(nn.Module):
    """Pre-activation block: batch norm, ReLU and 3 x 3 convolution, twice, plus a shortcut.

    The first convolution has the stride, the second one dropout before it. If the number of channels changes, the
    shortcut is a 1 x 1 convolution of the normalised input.
    """

    def __init__(self, channels: int, width: int, stride: int, dropout: float):
        super().__init__()
        self.norm1 = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))
        self.conv1 = nn.Conv2d(channels, width, kernel_size=3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        self.shortcut = None if channels == width else nn.Conv2d(channels, width, 1, stride, bias=False)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        normed = self.norm1(maps)
        identity = maps if self.shortcut is None else self.shortcut(normed)
        return identity + self.conv2(self.dropout(self.norm2(self.conv1(normed))))

"""ResNets for CIFAR: ResNet-20 to 110 and ResNeXt-29, with stages of 32 x 32, 16 x 16 and 8 x 8 pixels.

He, Zhang, Ren & Sun 2016, https://arxiv.org/abs/1512.03385, section 4.2: 6n + 2 layers of 16, 32, 64 channels,
and shortcuts without parameters (option A).
Xie, Girshick, Dollár, Tu & He 2017, https://arxiv.org/abs/1611.05431, section 5.2: ResNeXt-29, 8 groups of 64.
Differs: in nothing known.
"""

from collections.abc import Sequence
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock, Bottleneck

from lit_cnn.models.layers import initialise, variant
from lit_cnn.models.pretrained import Pretrained
from lit_cnn.models.stem import refuse_small_images

CIFARResNetName = Literal["resnet20", "resnet32", "resnet44", "resnet56", "resnet110", "resnext29_8x64d"]

# Residual blocks per stage.
DEPTHS = {"resnet20": 3, "resnet32": 5, "resnet44": 7, "resnet56": 9, "resnet110": 18, "resnext29_8x64d": 3}

# Smallest side: the last stage has two pixels to halve.
SMALLEST = 3


class CIFARResNet(Pretrained):
    """A 3 x 3 convolution, three stages of residual blocks, global average pooling and one linear layer.

    With its defaults it has 269,722 parameters.

    Args:
        name: resnet20, 32, 44, 56 or 110; or resnext29_8x64d.
        zero_init_residual: Start every block as the identity: the scale of the last batch norm of its branch is zero
            (Goyal et al. 2017, https://arxiv.org/abs/1706.02677, section 5.1).
        residual: False leaves the shortcuts out: the plain network of the same depth, to compare with (section 4.2).
    """

    def __init__(
        self,
        name: CIFARResNetName = "resnet20",
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 32,
        zero_init_residual: bool = False,
        residual: bool = True,
        weights: str | None = None,
        freeze_body: bool = False,
    ):
        super().__init__()
        depth = variant(name, DEPTHS)
        refuse_small_images(f"{name} needs", SMALLEST, image_size)
        is_resnext = name == "resnext29_8x64d"
        channels = 64 if is_resnext else 16
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.stages = nn.Sequential()
        for width in (channels, 2 * channels, 4 * channels):
            stage = nn.Sequential()
            for i in range(depth):
                stride = 2 if i == 0 and width != self.bn1.num_features else 1
                block = _bottleneck(channels, width, stride) if is_resnext else _basic(channels, width, stride)
                if not residual:
                    block.downsample = NoShortcut()
                stage.append(block)
                channels = width * block.expansion
            self.stages.append(stage)
        self.fc = nn.Linear(channels, num_classes)
        initialise([m for m in self.modules() if isinstance(m, nn.Conv2d)], he=True)
        for block in self.modules():
            if zero_init_residual and isinstance(block, (BasicBlock, Bottleneck)):
                nn.init.zeros_((block.bn2 if isinstance(block, BasicBlock) else block.bn3).weight)
        self.start_from(name, weights, freeze_body)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        return self.fc(self.stages(self.relu(self.bn1(self.conv1(images)))).mean(dim=(2, 3)))


class PaddedShortcut(nn.Module):
    """Parameter-free shortcut (option A): keeps one pixel of each `stride`, and adds `missing` channels of zeros."""

    def __init__(self, stride: int, missing: int):
        super().__init__()
        self.stride, self.missing = stride, missing

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        return F.pad(maps[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.missing))


class NoShortcut(nn.Module):
    """A shortcut that adds nothing, for plain networks."""

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
        return maps.new_zeros(())


def _basic(channels: int, width: int, stride: int) -> BasicBlock:
    return BasicBlock(channels, width, stride, None if channels == width else PaddedShortcut(stride, width - channels))


def _bottleneck(channels: int, width: int, stride: int) -> Bottleneck:
    out = width * Bottleneck.expansion
    shortcut = None
    if channels != out:
        shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
    return Bottleneck(channels, width, stride, shortcut, groups=8, base_width=64)

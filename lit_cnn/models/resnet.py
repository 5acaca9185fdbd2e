"""ResNet for ImageNet, with its variants ResNeXt (grouped convolutions) and Wide ResNet.

He, Zhang, Ren & Sun 2016, https://arxiv.org/abs/1512.03385, table 1.
Xie, Girshick, Dollár, Tu & He 2017, https://arxiv.org/abs/1611.05431, section 3.
Zagoruyko & Komodakis 2016, https://arxiv.org/abs/1605.07146, section 3.2: twice as wide 3 x 3 convolutions.
Differs: these are torchvision's networks, whose bottlenecks have their stride in the 3 x 3 convolution.
"""

from collections.abc import Sequence
from typing import Any, Literal

from torch import nn
from torchvision import models as torchvision_models
from torchvision.models.resnet import BasicBlock, Bottleneck

from lit_cnn.models.layers import variant
from lit_cnn.models.pretrained import Pretrained
from lit_cnn.models.stem import Stem, choose_stem

ResNetName = Literal[
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
    "resnext50_32x4d", "resnext101_32x8d", "wide_resnet50_2", "wide_resnet101_2",
]  # fmt: skip

# Block, blocks per stage, and what differs from ResNet's bottleneck.
VARIANTS: dict[str, tuple[type[BasicBlock | Bottleneck], list[int], dict[str, Any]]] = {
    "resnet18": (BasicBlock, [2, 2, 2, 2], {}),
    "resnet34": (BasicBlock, [3, 4, 6, 3], {}),
    "resnet50": (Bottleneck, [3, 4, 6, 3], {}),
    "resnet101": (Bottleneck, [3, 4, 23, 3], {}),
    "resnet152": (Bottleneck, [3, 8, 36, 3], {}),
    "resnext50_32x4d": (Bottleneck, [3, 4, 6, 3], {"groups": 32, "width_per_group": 4}),
    "resnext101_32x8d": (Bottleneck, [3, 4, 23, 3], {"groups": 32, "width_per_group": 8}),
    "wide_resnet50_2": (Bottleneck, [3, 4, 6, 3], {"width_per_group": 128}),
    "wide_resnet101_2": (Bottleneck, [3, 4, 23, 3], {"width_per_group": 128}),
}

# Smallest side: on less, the last stage would halve a single pixel and its 3 x 3 convolutions see padding only.
SMALLEST = {"imagenet": 17, "small": 5}


class ResNet(Pretrained, torchvision_models.ResNet):
    """Four stages of residual blocks, global average pooling and one linear layer.

    With the stem imagenet and colour images it is torchvision's network of this name, with the same state dict keys.
    With its defaults and a small stem it has 11,173,962 parameters.

    Args:
        name: torchvision's name of the architecture.
        stem: imagenet, a 7 x 7 convolution and a pooling that divide height and width by 4; small, a 3 x 3
            convolution that keeps them; or auto, small for images of up to 64 pixels.
        zero_init_residual: Start every block as the identity: the scale of the last batch norm of its branch is zero
            (Goyal et al. 2017, https://arxiv.org/abs/1706.02677, section 5.1).
    """

    def __init__(
        self,
        name: ResNetName = "resnet18",
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] | None = None,
        stem: Stem = "auto",
        zero_init_residual: bool = False,
        weights: str | None = None,
        freeze_body: bool = False,
    ):
        block, depths, settings = variant(name, VARIANTS)
        chosen = choose_stem(stem, image_size, name, SMALLEST)
        super().__init__(block, depths, num_classes, zero_init_residual, **settings)
        if chosen == "small":
            self.maxpool = nn.Identity()
        if chosen == "small" or in_channels != 3:
            size, stride = (3, 1) if chosen == "small" else (7, 2)
            self.conv1 = nn.Conv2d(in_channels, 64, size, stride, padding=size // 2, bias=False)
            nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.start_from(name, weights, freeze_body)

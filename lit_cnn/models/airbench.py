"""Airbench: small networks made to reach 94 and 96 % on CIFAR-10 in the least time.

Jordan 2024, https://arxiv.org/abs/2404.00498, section 3. The first layer is a whitening convolution (whitening.py).
Differs: `airbench94` has the sizes, norms and head of the author's later version for Muon
(https://github.com/KellerJordan/cifar10-airbench); the last pooling covers the whole map at any size of images.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lit_cnn.models.layers import variant
from lit_cnn.models.stem import refuse_small_images
from lit_cnn.models.whitening import WhiteningConv2d
from lit_cnn.sizes import ImageSize, height_and_width
from lit_cnn.typed_arguments import PositiveInt

AirbenchName = Literal["airbench94", "airbench96"]
SMALLEST = 9  # 2 x 2 pixels are left for the last of three poolings, after a convolution without padding
PATCH = 2  # height and width of the whitening filters, in pixels


class Variant(NamedTuple):
    """Differences between the networks."""

    widths: tuple[int, int, int]  # output channels of each group
    convolutions: int  # in a group; with three, a shortcut spans the last two
    momentum: float  # share of a new batch in the running statistics of batch norm
    scale: float | None  # factor of the logits; None for one over the width of the head
    unit_head: bool  # weights of the head: standard deviation 1, or as torch's and the whitening biases at 0


VARIANTS = {
    "airbench94": Variant((64, 256, 256), 2, 0.4, None, True),
    "airbench96": Variant((128, 384, 512), 3, 0.1, 1 / 9, False),
}


class Airbench(nn.Module):
    """A whitening convolution, three groups of 3 x 3 convolutions with batch norm and GELU, and a head without bias.

    Args:
        name: airbench94 or airbench96.
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels; one number for both.
        widths: Output channels of the three groups; by default those of the name.

    Raises:
        ValueError: If there is no such architecture, the images are too small for it, or `widths` are not three.
    """

    def __init__(
        self,
        name: AirbenchName = "airbench94",
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: ImageSize = 32,
        widths: Sequence[PositiveInt] | None = None,
    ):
        super().__init__()
        standard, convolutions, momentum, scale, unit_head = variant(name, VARIANTS)
        widths = widths or standard
        if len(widths) != len(standard):
            raise ValueError(
                f"`widths` has to have one number for each of {len(standard)} groups, but got {len(widths)}."
            )
        refuse_small_images(f"{name} needs", SMALLEST, image_size)
        self.whiten = WhiteningConv2d(in_channels, PATCH)
        channels = self.whiten.out_channels
        self.groups = nn.Sequential()
        height, width = (pixels - PATCH + 1 for pixels in height_and_width(image_size))
        for maps in widths:
            self.groups.append(Group(channels, maps, convolutions, momentum))
            channels, height, width = maps, height // 2, width // 2
        self.gelu = nn.GELU()
        self.pool = nn.MaxPool2d((height, width))
        self.head = nn.Linear(channels, num_classes, bias=False)
        self.scale = scale or 1 / channels
        with torch.no_grad():
            if unit_head:
                self.head.weight /= self.head.weight.std()
            else:
                self.whiten.bias.zero_()  # type: ignore[union-attr]

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        maps = self.pool(self.groups(self.gelu(self.whiten(images))))
        return self.head(maps.flatten(1)) * self.scale


class Group(nn.Module):
    """A convolution and a 2 x 2 max pooling, then one or two convolutions; each with batch norm and GELU."""

    def __init__(self, channels: int, width: int, convolutions: int, momentum: float):
        super().__init__()
        self.conv1, self.norm1 = _convolution(channels, width), _norm(width, momentum)
        self.pool = nn.MaxPool2d(2)
        self.conv2, self.norm2 = _convolution(width, width), _norm(width, momentum)
        self.conv3 = self.norm3 = None
        if convolutions == 3:
            self.conv3, self.norm3 = _convolution(width, width), _norm(width, momentum)
        self.gelu = nn.GELU()

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        pooled = self.gelu(self.norm1(self.pool(self.conv1(maps))))
        found = self.gelu(self.norm2(self.conv2(pooled)))
        if self.conv3 is None or self.norm3 is None:
            return found
        return self.gelu(pooled + self.norm3(self.conv3(found)))


def _convolution(channels: int, width: int) -> nn.Conv2d:
    """Returns a convolution whose first filters pass the input channels on (dirac), and whose others are torch's."""
    layer = nn.Conv2d(channels, width, 3, padding=1, bias=False)
    nn.init.dirac_(layer.weight.data[:channels])
    return layer


def _norm(width: int, momentum: float) -> nn.BatchNorm2d:
    """Returns a batch norm whose scale is frozen at 1."""
    norm = nn.BatchNorm2d(width, eps=1e-12, momentum=momentum)
    norm.weight.requires_grad_(False)
    return norm

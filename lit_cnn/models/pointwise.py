"""A CNN of 1 x 1 convolutions: the same small MLP at every pixel, then global average pooling.

Lin, Chen & Yan 2014, https://arxiv.org/abs/1312.4400: convolutions of one pixel, and global average pooling.
Differs: it has no other convolutions, for the permutation experiment. The network sees the values of the pixels but
not their places, so a permutation of the pixels does not change its logits, except for the rounding of a sum.
"""

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from lit_cnn.sizes import ImageSize
from lit_cnn.typed_arguments import PositiveInt


class PointwiseCNN(nn.Module):
    """1 x 1 convolutions with ReLU, global average pooling, one linear layer.

    With its defaults on greyscale images it has 6,448 parameters, as many as an `MLP` of 8-8.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Ignored, since the network takes images of any size.
        widths: Output channels of each convolution.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: ImageSize = 28,
        widths: Sequence[PositiveInt] = (74, 74),
    ):
        super().__init__()
        self.features = nn.Sequential()
        for channels, width in pairwise([in_channels, *widths]):
            self.features.extend([nn.Conv2d(channels, width, kernel_size=1), nn.ReLU(inplace=True)])
        self.classifier = nn.Linear([in_channels, *widths][-1], num_classes)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        return self.classifier(self.features(images).mean(dim=(2, 3)))

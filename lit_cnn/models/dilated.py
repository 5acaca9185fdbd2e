"""A CNN of dilated convolutions, with a growing receptive field and no pooling.

Yu & Koltun 2016, https://arxiv.org/abs/1511.07122, section 3: dilations that double let the receptive field grow
exponentially without pooling.
Differs: global average pooling and a classifier at the end. It is here for the permutation experiment: how much does a
convolution rely on neighbouring pixels?
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from lit_cnn.typed_arguments import PositiveInt


class DilatedCNN(nn.Module):
    """3 x 3 convolutions with ReLU and growing dilation, global average pooling, one linear layer.

    With its defaults on greyscale images it has 6,430 parameters, as many as an `MLP` of 8-8, and its receptive field
    is 31 x 31 pixels.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Ignored, since the network takes images of any size.
        width: Output channels of each convolution.
        dilations: Distance in pixels between the taps of each convolution; 1 is an ordinary one.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 28,
        width: PositiveInt = 15,
        dilations: Sequence[PositiveInt] = (1, 2, 4, 8),
    ):
        super().__init__()
        self.features = nn.Sequential()
        channels = in_channels
        for dilation in dilations:
            convolution = nn.Conv2d(channels, width, kernel_size=3, padding=dilation, dilation=dilation)
            self.features.extend([convolution, nn.ReLU(inplace=True)])
            channels = width
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        return self.classifier(self.features(images).mean(dim=(2, 3)))

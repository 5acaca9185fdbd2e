"""VGG: depth from 3 x 3 convolutions.

Simonyan & Zisserman 2015, https://arxiv.org/abs/1409.1556, table 1, column A.
Differs: batch norm (Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167) behind each convolution, and one
linear layer as the classifier, since small images leave a single pixel for it.
"""

from collections.abc import Sequence
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from lit_cnn.sizes import height_and_width

WIDTHS: tuple[int | Literal["M"], ...] = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")


class VGG(nn.Module):
    """3 x 3 convolutions with batch norm and ReLU, poolings in between, one linear layer.

    With its defaults on a colour image it has 9,231,114 parameters.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels; one number for both.
        widths: Output channels of each convolution; "M" is a max pooling that halves height and width.
        batch_norm: Normalise each convolution's output over the batch.

    Raises:
        ValueError: If the image is smaller than 2 ** (number of poolings) pixels.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 32,
        widths: Sequence[int | Literal["M"]] = WIDTHS,
        batch_norm: bool = True,
    ):
        super().__init__()
        height, width = height_and_width(image_size)
        smallest = 2 ** list(widths).count("M")
        if min(height, width) < smallest:
            raise ValueError(
                f"`widths` needs images of at least {smallest} pixels, but got {height} x {width}. Drop an 'M'."
            )
        layers: list[nn.Module] = []
        channels = in_channels
        for step in widths:
            if step == "M":
                layers.append(nn.MaxPool2d(2))
                continue
            layers.append(nn.Conv2d(channels, step, kernel_size=3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(step))
            layers.append(nn.ReLU(inplace=True))
            channels = step
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Returns logits."""
        return self.classifier(self.pool(self.features(images)).flatten(1))

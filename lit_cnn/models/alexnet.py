"""AlexNet, the network that won ImageNet 2012.

Krizhevsky, Sutskever & Hinton 2012,
https://papers.nips.cc/paper/2012/hash/c399862d3b9d6b76c8436e924a68c45b-Abstract.html
Differs: the layers are torchvision's, as in Krizhevsky 2014 (https://arxiv.org/abs/1404.5997): one tower of 64, 192,
384, 256, 256 channels instead of two, and local response normalisation only on request. The small stem has a 5 x 5
convolution of stride 1 instead of 11 x 11 of stride 4, and turns a 32 x 32 image into 4 x 4 pixels.
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

from torch import nn
from torchvision import models as torchvision_models

from lit_cnn.models.layers import fully_connected, initialise, local_response_norm
from lit_cnn.models.pretrained import Pretrained
from lit_cnn.models.stem import Stem, choose_stem, refuse_small_images

# Smallest side: imagenet, each pooling has a whole window; small, each of the three poolings has two pixels.
SMALLEST = {"imagenet": 63, "small": 5}

Init = Literal["torch", "paper"]


class AlexNet(Pretrained, torchvision_models.AlexNet):
    """Five convolutions with three poolings, then three fully connected layers with dropout.

    With the stem imagenet and colour images it is torchvision's network, with the same state dict keys.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels; one number for both. By default images are not
            checked, and auto means small.
        stem: imagenet, a first convolution of 11 x 11 and stride 4; small, of 5 x 5 and stride 1; or auto, small for
            images of up to 64 pixels.
        hidden: Units of each of the two hidden layers after the convolutions.
        dropout: Dropout probability at the inputs of both hidden layers.
        lrn: Local response normalisation after the first two layers, over five neighbouring channels (section 3.3).
        init: torch, PyTorch's default; or paper, normal with standard deviation 0.01, and biases of 1 in convolutions
            2, 4 and 5 and in the hidden layers (section 5).
        weights: Where to start from: IMAGENET1K_V1, or the path of a state dict or checkpoint.
        freeze_body: Freeze the backbone: train the last layer only.

    Raises:
        ValueError: If the images are too small for the stem.
        CheckpointError: If the weights cannot be read or are of another network.
    """

    heads = ("classifier.6",)

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] | None = None,
        stem: Stem = "auto",
        hidden: int = 4096,
        dropout: float = 0.5,
        lrn: bool = False,
        init: Init = "torch",
        weights: str | None = None,
        freeze_body: bool = False,
    ):
        nn.Module.__init__(self)  # torchvision's would build 57 million weights, only to be replaced
        chosen = choose_stem(stem, image_size)
        refuse_small_images("alexnet", chosen, image_size, SMALLEST)
        if chosen == "imagenet":
            first, pool, side = (
                nn.Conv2d(in_channels, 64, kernel_size=11, stride=4, padding=2),
                partial(nn.MaxPool2d, 3, 2),
                6,
            )
        else:
            first, pool, side = (
                nn.Conv2d(in_channels, 64, kernel_size=5, padding=2),
                partial(nn.MaxPool2d, 3, 2, padding=1),
                4,
            )
        self.features = nn.Sequential(
            *(first, _relu(lrn), pool()),
            *(nn.Conv2d(64, 192, kernel_size=5, padding=2), _relu(lrn), pool()),
            *(nn.Conv2d(192, 384, kernel_size=3, padding=1), _relu()),
            *(nn.Conv2d(384, 256, kernel_size=3, padding=1), _relu()),
            *(nn.Conv2d(256, 256, kernel_size=3, padding=1), _relu(), pool()),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(side)
        self.classifier = fully_connected(256 * side * side, hidden, num_classes, dropout)
        if init == "paper":
            convolutions = [m for m in self.features if isinstance(m, nn.Conv2d)]
            linears = [m for m in self.classifier if isinstance(m, nn.Linear)]
            initialise([*convolutions, *linears], with_ones=[*(convolutions[i] for i in (1, 3, 4)), *linears[:-1]])
        self.start_from("alexnet", weights, freeze_body)


def _relu(lrn: bool = False) -> nn.Module:
    """Returns a ReLU, with local response normalisation after it if asked for."""
    return nn.Sequential(nn.ReLU(inplace=True), local_response_norm()) if lrn else nn.ReLU(inplace=True)

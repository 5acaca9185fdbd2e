"""AlexNet, the network that won ImageNet 2012.

Krizhevsky, Sutskever & Hinton 2012,
https://papers.nips.cc/paper/2012/hash/c399862d3b9d6b76c8436e924a68c45b-Abstract.html
Differs: the layers are torchvision's, as in Krizhevsky 2014 (https://arxiv.org/abs/1404.5997): one tower of 64, 192,
384, 256, 256 channels instead of two, and local response normalisation only on request.
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

from torch import nn
from torchvision import models as torchvision_models

from lit_cnn.models.layers import fully_connected, initialise, local_response_norm
from lit_cnn.models.pretrained import Pretrained
from lit_cnn.models.stem import Stem, choose_stem
from lit_cnn.typed_arguments import PositiveInt, Share

# Smallest side: imagenet, each pooling has a whole window; small, each of the three poolings has two pixels.
SMALLEST = {"imagenet": 63, "small": 5}

Init = Literal["torch", "paper"]


class AlexNet(Pretrained, torchvision_models.AlexNet):
    """Five convolutions with three poolings, then three fully connected layers with dropout.

    With the stem imagenet and colour images it is torchvision's network, with the same state dict keys.

    Args:
        stem: imagenet, a first convolution of 11 x 11 and stride 4; small, of 5 x 5 and stride 1, which turns 32 x 32
            pixels into 4 x 4; or auto, small for images of up to 64 pixels.
        hidden: Units of each of the two hidden layers after the convolutions.
        dropout: Dropout probability at the inputs of both hidden layers.
        lrn: Local response normalisation after the first two layers, over five neighbouring channels (section 3.3).
        init: torch, PyTorch's default; or paper, normal with standard deviation 0.01, and biases of 1 in convolutions
            2, 4 and 5 and in the hidden layers (section 5).
    """

    heads = ("classifier.6",)

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] | None = None,
        stem: Stem = "auto",
        hidden: PositiveInt = 4096,
        dropout: Share = 0.5,
        lrn: bool = False,
        init: Init = "torch",
        weights: str | None = None,
        freeze_body: bool = False,
    ):
        nn.Module.__init__(self)  # torchvision's would build 57 million weights, only to be replaced
        chosen = choose_stem(stem, image_size, "alexnet", SMALLEST)
        kernel_size, stride, padding, side = (11, 4, 0, 6) if chosen == "imagenet" else (5, 1, 1, 4)
        first = nn.Conv2d(in_channels, 64, kernel_size, stride, padding=2)
        pool = partial(nn.MaxPool2d, 3, 2, padding)
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
    return nn.Sequential(nn.ReLU(inplace=True), local_response_norm()) if lrn else nn.ReLU(inplace=True)

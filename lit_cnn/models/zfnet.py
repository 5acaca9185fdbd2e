"""ZFNet: AlexNet improved by visualising its layers.

Zeiler & Fergus 2014, https://arxiv.org/abs/1311.2901, figure 3; the wider last convolutions of 512, 1024, 512
channels are from table 3.
Differs: AlexNet's local response normalisation instead of contrast normalisation.
"""

from collections.abc import Sequence

from torch import nn

from lit_cnn.models.alexnet import AlexNet, Init
from lit_cnn.models.layers import fully_connected, initialise, local_response_norm
from lit_cnn.models.stem import Stem, choose_stem
from lit_cnn.typed_arguments import PositiveInt, Share

SMALLEST = {"imagenet": 53, "small": 5}


class ZFNet(AlexNet):
    """Five convolutions, the first 7 x 7 of stride 2, with three poolings, then three fully connected layers.

    Args:
        stem: imagenet, 7 x 7 of stride 2 and 5 x 5 of stride 2; small, 3 x 3 and 5 x 5 of stride 1, which turn
            32 x 32 pixels into 4 x 4; or auto, small for images of up to 64 pixels.
        widths: Output channels of each of the five convolutions.
        init: torch, PyTorch's default; or paper, normal with standard deviation 0.01 and biases of 0 (section 3).
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] | None = None,
        stem: Stem = "auto",
        widths: Sequence[PositiveInt] = (96, 256, 512, 1024, 512),
        hidden: PositiveInt = 4096,
        dropout: Share = 0.5,
        lrn: bool = True,
        init: Init = "torch",
        weights: str | None = None,
        freeze_body: bool = False,
    ):
        nn.Module.__init__(self)
        if len(widths) != 5:
            raise ValueError(
                f"`widths` have to be the channels of five convolutions, but got {len(widths)}: {list(widths)}."
            )
        chosen = choose_stem(stem, image_size, "zfnet", SMALLEST)
        a, b, c, d, e = widths
        norm = local_response_norm if lrn else nn.Identity
        kernel_size, stride, padding, side = (7, 2, 0, 6) if chosen == "imagenet" else (3, 1, 1, 4)
        first = nn.Conv2d(in_channels, a, kernel_size, stride, padding=1)
        second = nn.Conv2d(a, b, 5, stride, padding=2 * padding)
        last_pool = nn.MaxPool2d(3, 2, padding)
        self.features = nn.Sequential(
            *(first, nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1), norm()),
            *(second, nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1), norm()),
            *(nn.Conv2d(b, c, kernel_size=3, padding=1), nn.ReLU(inplace=True)),
            *(nn.Conv2d(c, d, kernel_size=3, padding=1), nn.ReLU(inplace=True)),
            *(nn.Conv2d(d, e, kernel_size=3, padding=1), nn.ReLU(inplace=True), last_pool),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(side)
        self.classifier = fully_connected(e * side * side, hidden, num_classes, dropout)
        if init == "paper":
            initialise([m for m in self.modules() if isinstance(m, (nn.Conv2d, nn.Linear))])
        self.start_from("zfnet", weights, freeze_body)

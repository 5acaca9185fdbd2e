"""ZFNet: AlexNet improved by visualising its layers.

Zeiler & Fergus 2014, https://arxiv.org/abs/1311.2901, figure 3; the wider last convolutions of 512, 1024, 512
channels are from table 3.
Differs: AlexNet's local response normalisation instead of contrast normalisation. In the small stem the first two
convolutions have stride 1 and the first is 3 x 3, so a 32 x 32 image becomes 4 x 4 pixels.
"""

from collections.abc import Sequence

from torch import nn

from lit_cnn.models.alexnet import AlexNet, Init
from lit_cnn.models.layers import fully_connected, initialise, local_response_norm
from lit_cnn.models.stem import Stem, choose_stem, refuse_small_images

SMALLEST = {"imagenet": 53, "small": 5}


class ZFNet(AlexNet):
    """Five convolutions, the first 7 x 7 of stride 2, with three poolings, then three fully connected layers.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels; one number for both. By default images are not
            checked, and auto means small.
        stem: imagenet, 7 x 7 of stride 2 and 5 x 5 of stride 2; small, 3 x 3 and 5 x 5 of stride 1; or auto, small
            for images of up to 64 pixels.
        widths: Output channels of each of the five convolutions.
        hidden: Units of each of the two hidden layers after the convolutions.
        dropout: Dropout probability at the inputs of both hidden layers.
        lrn: Local response normalisation after the first two layers, over five neighbouring channels.
        init: torch, PyTorch's default; or paper, normal with standard deviation 0.01 and biases of 0 (section 3).
        weights: Where to start from: the path of a state dict or checkpoint.
        freeze_body: Freeze the backbone: train the last layer only.

    Raises:
        ValueError: If the images are too small for the stem, or there are not five widths.
        CheckpointError: If the weights cannot be read or are of another network.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] | None = None,
        stem: Stem = "auto",
        widths: Sequence[int] = (96, 256, 512, 1024, 512),
        hidden: int = 4096,
        dropout: float = 0.5,
        lrn: bool = True,
        init: Init = "torch",
        weights: str | None = None,
        freeze_body: bool = False,
    ):
        nn.Module.__init__(self)
        if len(widths) != 5:
            raise ValueError(f"`widths` are the maps of five convolutions, but got {len(widths)}: {list(widths)}.")
        chosen = choose_stem(stem, image_size)
        refuse_small_images("zfnet", chosen, image_size, SMALLEST)
        a, b, c, d, e = widths
        norm = local_response_norm if lrn else nn.Identity
        if chosen == "imagenet":
            first = nn.Conv2d(in_channels, a, kernel_size=7, stride=2, padding=1)
            second, last_pool, side = nn.Conv2d(a, b, kernel_size=5, stride=2), nn.MaxPool2d(3, 2), 6
        else:
            first = nn.Conv2d(in_channels, a, kernel_size=3, padding=1)
            second, last_pool, side = nn.Conv2d(a, b, kernel_size=5, padding=2), nn.MaxPool2d(3, 2, padding=1), 4
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

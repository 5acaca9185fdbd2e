"""ZFNet: AlexNet, after its authors had looked at what its layers see.

Zeiler & Fergus 2014, https://arxiv.org/abs/1311.2901, figure 3; the wider last convolutions of 512, 1024, 512 maps are
those of table 3.
Differs: local response normalisation, AlexNet's, stands for contrast normalisation across maps. The small stem has
strides of 1 in both first convolutions, the first of 3 x 3, and leaves 4 x 4 pixels of a 32 x 32 image.
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
            checked, and auto stands for small.
        stem: imagenet, 7 x 7 of stride 2 and 5 x 5 of stride 2; small, 3 x 3 and 5 x 5 of stride 1; or auto, small
            for images of up to 64 pixels.
        widths: Maps of each of the five convolutions.
        hidden: Units of each of the two hidden layers behind the convolutions.
        dropout: Share of the inputs of both hidden layers that is dropped in training.
        lrn: Normalise the first two layers' output over five neighbouring maps.
        init: torch, its own default; or paper, normal of deviation 0.01 with biases of 0 (section 3).
        weights: Where to start from: the path of a state dict or checkpoint.
        freeze_body: Train the last layer alone.

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

"""VGG: deep stacks of 3 x 3 convolutions.

Simonyan & Zisserman 2015, https://arxiv.org/abs/1409.1556, table 1, columns A, B, D and E.
Differs: names ending in bn have batch norm (Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167) after each
convolution. With the stem small, the classifier is one linear layer, since small images leave a single pixel for it,
and poolings round up, so that five of them fit into 28 pixels. `vgg8_bn` is column A with one linear layer too, but
its poolings round down.
"""

from collections.abc import Sequence
from typing import Literal, get_args

from torch import nn
from torchvision import models as torchvision_models
from torchvision.models.vgg import cfgs

from lit_cnn.models.layers import initialise, variant
from lit_cnn.models.pretrained import Pretrained
from lit_cnn.models.stem import Stem, choose_stem, refuse_small_images
from lit_cnn.typed_arguments import PositiveInt, Share

Widths = Sequence[PositiveInt | Literal["M"]]
VGGName = Literal["vgg8_bn", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"]
NAMES = get_args(VGGName)
CLASSIC = NAMES[1:]  # in torchvision too
COLUMNS = dict(zip(NAMES, "AAABBDDEE", strict=True))  # of the paper's table

# Smallest side: imagenet, each of five poolings has a whole window, which vgg8_bn needs too; small, two pixels.
SMALLEST = {"imagenet": 32, "small": 17}


class VGG(Pretrained, torchvision_models.VGG):
    """3 x 3 convolutions with ReLU, poolings in between, and one or three linear layers.

    With the stem imagenet and colour images it is torchvision's network of this name, with the same state dict keys.
    With its defaults on a small colour image it has 9,231,114 parameters.

    Args:
        name: torchvision's name of the architecture; or vgg8_bn, which has the small stem at any size.
        widths: Output channels of each convolution, instead of those of the name; "M" is a max pooling that halves
            height and width.
        batch_norm: Batch norm after each convolution; by default as the name says.
        stem: imagenet, 7 x 7 pixels and three linear layers; small, global average pooling and one linear layer; or
            auto, small for images of up to 64 pixels.
        dropout: Dropout probability after both hidden layers, with the stem imagenet.
        init: he, He et al. 2015 (https://arxiv.org/abs/1502.01852) by fan_out; paper, normal with standard deviation
            0.01 and biases of 0, where more than eight convolutions hardly learn without batch norm (section 3.1 says
            a variance of 0.01, which gives logits in the millions); or torch, PyTorch's default. By default he, but
            torch for vgg8_bn.
    """

    def __init__(
        self,
        name: VGGName = "vgg8_bn",
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] | None = None,
        widths: Widths | None = None,
        batch_norm: bool | None = None,
        stem: Stem = "auto",
        dropout: Share = 0.5,
        init: Literal["he", "paper", "torch"] | None = None,
        weights: str | None = None,
        freeze_body: bool = False,
    ):
        nn.Module.__init__(self)
        column = variant(name, COLUMNS)
        if name == "vgg8_bn" and stem == "imagenet":
            raise ValueError("vgg8_bn has no stem imagenet. Use vgg11_bn, or `stem: small`.")
        smallest = None if widths else SMALLEST
        chosen = "small" if name == "vgg8_bn" else choose_stem(stem, image_size, name, smallest)
        rounds_up = chosen == "small" and name != "vgg8_bn"
        widths = widths or cfgs[column]
        whole = 2 ** list(widths).count("M")
        refuse_small_images("`widths` needs", whole // 2 + 1 if rounds_up else whole, image_size, "Remove an 'M'.")
        layers: list[nn.Module] = []
        channels = in_channels
        for step in widths:
            if step == "M":
                layers.append(nn.MaxPool2d(2, ceil_mode=rounds_up))
                continue
            layers.append(nn.Conv2d(channels, step, kernel_size=3, padding=1))
            if name.endswith("_bn") if batch_norm is None else batch_norm:
                layers.append(nn.BatchNorm2d(step))
            layers.append(nn.ReLU(inplace=True))
            channels = step
        self.features = nn.Sequential(*layers)
        self.classifier: nn.Module
        if chosen == "small":
            self.heads = ("classifier",)
            self.avgpool = nn.AdaptiveAvgPool2d(1)
            self.classifier = nn.Linear(channels, num_classes)
        else:
            self.heads = ("classifier.6",)
            self.avgpool = nn.AdaptiveAvgPool2d(7)
            self.classifier = nn.Sequential(
                *(nn.Linear(channels * 7 * 7, 4096), nn.ReLU(inplace=True), nn.Dropout(dropout)),
                *(nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(dropout)),
                nn.Linear(4096, num_classes),
            )
        init = init or ("torch" if name == "vgg8_bn" else "he")
        if init != "torch":
            initialise([m for m in self.modules() if isinstance(m, (nn.Conv2d, nn.Linear))], he=init == "he")
        self.start_from(name, weights, freeze_body)

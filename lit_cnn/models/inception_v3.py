"""Inception v3: long kernels in two thin steps.

Szegedy, Vanhoucke, Ioffe, Shlens & Wojna 2016, https://arxiv.org/abs/1512.00567, table 1.
Differs: the layers are torchvision's. The auxiliary head pools maps of fewer than 17 pixels to its 5 x 5 too, which
images of less than 299 pixels leave. The small stem begins with stride 1 and has no poolings, so that a 32 x 32
image leaves 28 x 28 pixels for the first Inception block, 13 x 13 and 6 x 6 for the later ones.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import models as torchvision_models
from torchvision.models import inception
from torchvision.models.inception import BasicConv2d, InceptionA, InceptionB, InceptionC, InceptionD, InceptionE

from lit_cnn.models.googlenet import InceptionInit, refuse_other_range
from lit_cnn.models.pretrained import Pretrained
from lit_cnn.models.stem import Stem, choose_stem, refuse_small_images

# The first that leave a whole window for the last pooling of 3 x 3.
SMALLEST = {"imagenet": 75, "small": 11}


class InceptionV3(Pretrained, torchvision_models.Inception3):
    """Eleven Inception blocks, an average over all pixels, one linear layer, and an auxiliary head for training.

    With the stem imagenet on colour images it is torchvision's network, key by key of the state dict.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels; one number for both. By default images are not
            checked, and auto stands for small. The paper's are of 299 x 299.
        stem: imagenet, whose first block sees an eighth of height and width; small, whose first block sees almost
            all; or auto, small for images of up to 64 pixels.
        aux_logits: Have the auxiliary head.
        dropout: Share of the last layer's inputs that is dropped in training; the paper drops 0.2.
        init: truncated, normal of deviation 0.1, torchvision's; or torch, its own default.
        transform_input: Bring images normalised by ImageNet's mean and deviation to the range that torchvision's
            published weights were trained with.
        weights: Where to start from: IMAGENET1K_V1, or the path of a state dict or checkpoint.
        freeze_body: Train the last layer alone, and that of the auxiliary head.

    Raises:
        ValueError: If the images are too small for the stem.
        CheckpointError: If the weights cannot be read or are of another network.
    """

    heads = ("fc", "AuxLogits.fc")
    auxiliary = ("AuxLogits",)

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] | None = None,
        stem: Stem = "auto",
        aux_logits: bool = True,
        dropout: float = 0.5,
        init: InceptionInit = "truncated",
        transform_input: bool = False,
        weights: str | None = None,
        freeze_body: bool = False,
    ):
        chosen = choose_stem(stem, image_size)
        refuse_small_images("inception_v3", chosen, image_size, SMALLEST)
        refuse_other_range("inception_v3", weights, transform_input)
        truncated = init == "truncated"
        blocks = [BasicConv2d, InceptionA, InceptionB, InceptionC, InceptionD, InceptionE, InceptionAux]
        super().__init__(num_classes, aux_logits, transform_input, blocks, truncated, dropout)
        if chosen == "small":
            self.Conv2d_1a_3x3 = BasicConv2d(in_channels, 32, kernel_size=3, padding=1)
            self.maxpool1, self.maxpool2 = nn.Identity(), nn.Identity()
        elif in_channels != 3:
            self.Conv2d_1a_3x3 = BasicConv2d(in_channels, 32, kernel_size=3, stride=2)
        if truncated and (chosen == "small" or in_channels != 3):
            nn.init.trunc_normal_(self.Conv2d_1a_3x3.conv.weight, std=0.1)
        self.start_from("inception_v3", weights, freeze_body)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Returns logits, in training too."""
        return self.forward_with_aux(images)[0]

    def forward_with_aux(
        self, images: Float[Tensor, "b c h w"]
    ) -> tuple[Float[Tensor, "b k"], list[Float[Tensor, "b k"]]]:
        """Returns logits, and in training those of the auxiliary head."""
        logits, aux = self._forward(self._transform_input(images))  # type: ignore[operator]
        return logits, [] if aux is None else [aux]


class InceptionAux(inception.InceptionAux):
    """torchvision's auxiliary head, for maps of any size."""

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Returns logits."""
        if min(maps.shape[2:]) >= 17:  # what 299 pixels leave
            return super().forward(maps)
        maps = self.conv1(self.conv0(F.adaptive_avg_pool2d(maps, 5)))
        return self.fc(maps.flatten(1))

"""A small CNN, for the permutation experiment.

LeCun et al. 1989, https://doi.org/10.1162/neco.1989.1.4.541: shared weights over local receptive fields.
Differs: max pooling and ReLU.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from lit_cnn.models.mlp import dense
from lit_cnn.models.stem import refuse_small_images
from lit_cnn.sizes import height_and_width
from lit_cnn.typed_arguments import PositiveInt, Share


class CNN(nn.Module):
    """Convolutions without padding, each with ReLU and 2 x 2 max pooling, then fully connected layers.

    With its defaults on a 28 x 28 greyscale image it has 6,422 parameters, as many as an `MLP` of 8-8.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels; one number for both.
        widths: Output channels of each convolution.
        hidden: Units of each hidden layer after the convolutions.
        kernel_size: Height and width of the kernels, in pixels.
        dropout: Dropout probability after each hidden layer.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 28,
        widths: Sequence[PositiveInt] = (6, 6),
        hidden: Sequence[PositiveInt] = (50,),
        kernel_size: PositiveInt = 5,
        dropout: Share = 0.0,
    ):
        super().__init__()
        size = height_and_width(image_size)
        smallest = smallest_image(len(widths), kernel_size)
        what = f"{len(widths)} convolutions of {kernel_size} x {kernel_size} with pooling need"
        refuse_small_images(what, smallest, image_size, "Use fewer `widths` or a smaller `kernel_size`.")
        layers: list[nn.Module] = []
        channels = in_channels
        for width in widths:
            layers += [nn.Conv2d(channels, width, kernel_size), nn.ReLU(), nn.MaxPool2d(2)]
            channels = width
            size = tuple((pixels - kernel_size + 1) // 2 for pixels in size)  # type: ignore[assignment]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Flatten(), *dense(channels * size[0] * size[1], hidden, num_classes, dropout)
        )

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        return self.classifier(self.features(images))


def smallest_image(stages: int, kernel_size: int) -> int:
    """Returns the smallest image side in pixels for so many stages: one pixel is left at the end."""
    side = 1
    for _ in range(stages):
        side = 2 * side + kernel_size - 1
    return side

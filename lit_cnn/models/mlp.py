"""Multilayer perceptron (MLP), the baseline without convolutions.

Rumelhart, Hinton & Williams 1986, https://doi.org/10.1038/323533a0.
Differs: ReLU instead of the logistic function.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from lit_cnn.sizes import ImageSize, height_and_width
from lit_cnn.typed_arguments import PositiveInt, Share


class MLP(nn.Sequential):
    """Fully connected layers over the pixels of the image, with ReLU in between.

    With its defaults on a 28 x 28 greyscale image it has 6,442 parameters.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        image_size: Height and width of the images, in pixels; one number for both.
        hidden: Units of each hidden layer; an empty list makes it logistic regression.
        dropout: Dropout probability after each hidden layer (Srivastava et al. 2014,
            https://jmlr.org/papers/v15/srivastava14a.html).
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: ImageSize = 28,
        hidden: Sequence[PositiveInt] = (8, 8),
        dropout: Share = 0.0,
    ):
        height, width = height_and_width(image_size)
        self.image_shape = (in_channels, height, width)
        super().__init__(nn.Flatten(), *dense(in_channels * height * width, hidden, num_classes, dropout))

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Returns logits. Raises ValueError if the images have another shape than the network was built for."""
        if tuple(images.shape[1:]) != self.image_shape:
            raise ValueError(f"MLP expects images of shape {self.image_shape}, but got {tuple(images.shape[1:])}.")
        return super().forward(images)


def dense(in_features: int, hidden: Sequence[PositiveInt], num_classes: int, dropout: float = 0.0) -> list[nn.Module]:
    """Returns linear layers with ReLU, and dropout if any, in between, from features to logits."""
    layers: list[nn.Module] = []
    for units in hidden:
        layers += [nn.Linear(in_features, units), nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
        in_features = units
    return [*layers, nn.Linear(in_features, num_classes)]

"""LeNet-5, the classic small CNN.

LeCun, Bottou, Bengio & Haffner 1998, https://doi.org/10.1109/5.726791, figure 2.
Differs: max pooling instead of trained subsampling; ReLU; every channel of the second convolution is connected to all
channels of the first; linear outputs instead of radial basis functions.
"""

from collections.abc import Sequence

from lit_cnn.models.cnn import CNN
from lit_cnn.typed_arguments import PositiveInt, Share


class LeNet(CNN):
    """Two 5 x 5 convolutions of 6 and 16 channels with max pooling, then linear layers 120-84-10.

    With its defaults on a 32 x 32 colour image it has 62,006 parameters. Takes the arguments of `CNN`.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int | Sequence[int] = 32,
        widths: Sequence[PositiveInt] = (6, 16),
        hidden: Sequence[PositiveInt] = (120, 84),
        kernel_size: PositiveInt = 5,
        dropout: Share = 0.0,
    ):
        super().__init__(in_channels, num_classes, image_size, widths, hidden, kernel_size, dropout)

"""Sets the filters of whitening convolutions from the training images, before the first step."""

from typing import Any

from torch import nn

from lit_cnn.data.module import ImageDataModule
from lit_cnn.errors import ConfigError
from lit_cnn.keyed_random import permutation
from lit_cnn.models.whitening import WhiteningConv2d

IMAGES = 5000


def learn_whitening(net: nn.Module, data: Any) -> None:
    """Sets the filters of a network's first layer, if that is a whitening convolution without filters.

    The images are drawn by the run's seed, and preprocessed as for the network, but without augmentation. The filters
    are saved with the weights, so that a checkpoint needs no data. All devices compute the same filters.
    """
    for name, layer in net.named_modules():
        if not isinstance(layer, WhiteningConv2d) or layer.learned:
            continue
        if not isinstance(data, ImageDataModule):
            raise ConfigError(
                f"{type(net).__name__} computes its first layer from training images, but these data are not of "
                f"lit_cnn.\nCall `module.net.{name}.learn(images)` before `fit`, with a few thousand normalised images."
            )
        indices = permutation(len(data.arrays("train")), data.run_seed, "whitening")[:IMAGES]
        layer.learn(data.batch_maker("train")(indices)[0])

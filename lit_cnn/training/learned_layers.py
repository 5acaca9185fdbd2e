"""Layers that are set, not trained: filters learned from the data before the first step, and batch norm's momentum."""

from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lit_cnn.data.module import ImageDataModule
from lit_cnn.errors import ConfigError
from lit_cnn.keyed_random import permutation

IMAGES = 5000  # from which a layer is learned


def learn_from_data(net: nn.Module, data: Any) -> None:
    """Has a network with a method `learn` and a flag `learned`, such as Airbench, learn from training images, once.

    Images are drawn by the run's seed, and are as the network gets them, but without augmentation. What was learned is
    a part of the weights, so that a checkpoint needs no data. All devices learn the same from the same images.

    Raises:
        ConfigError: If the images do not come from one of our data modules.
    """
    learned = getattr(net, "learned", None)
    if not isinstance(learned, Tensor) or bool(learned):
        return
    if not isinstance(data, ImageDataModule):
        raise ConfigError(
            f"{type(net).__name__} computes its first layer from the training images of a data module of lit_cnn.\n"
            "With other data call `module.net.learn(images)` before `fit`, with some thousand normalised images."
        )
    indices = permutation(len(data.arrays("train")), data.run_seed, "learn")[:IMAGES]
    net.learn(data.batch_maker("train")(indices)[0])  # type: ignore[operator]


def set_norm_momentum(net: nn.Module, momentum: float) -> None:
    """Sets the momentum of all batch norms of a network: the share of a new batch in their running statistics.

    Raises:
        ValueError: If it is not from 0 to 1, or there is no batch norm.
    """
    norms = [layer for layer in net.modules() if isinstance(layer, _BatchNorm)]
    if not 0 <= momentum <= 1:
        raise ValueError(f"`norm_momentum` is a share from 0 to 1, but got {momentum}.")
    if not norms:
        raise ValueError(f"`norm_momentum` is of batch norm, and {type(net).__name__} has none. Leave it out.")
    for norm in norms:
        norm.momentum = momentum

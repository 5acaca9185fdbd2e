"""What has several devices take the steps that one would take: equal weight of all images, and one dropout."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lit_cnn.data.order import BatchOrder, Share
from lit_cnn.errors import ConfigError

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


class OneNetwork:
    """A network's training on several devices, which differs from that on one by rounding alone.

    Gradients are averaged over the devices. So the loss of a device with more images than another weighs more, as it
    does in the last batch of an epoch, and dropout takes its part of the masks that one device would draw for the
    batches of all. What else a network draws is the same on each device.

    Args:
        net: The network.
        trainer: Its Trainer.

    Raises:
        ConfigError: If batch norm is to be synchronised between CPUs.
    """

    def __init__(self, net: nn.Module, trainer: Any):
        self.trainer = trainer
        self.share = Share(0, 1, 1)
        strategy = trainer.strategy
        if getattr(strategy, "_layer_sync", None) and strategy.root_device.type == "cpu":
            raise ConfigError(
                "trainer.sync_batchnorm: true works between GPUs alone, and this run is on CPUs.\n"
                "Leave it out: each process then normalises by its own part of the batch."
            )
        for layer in net.modules():
            if type(layer) in DROPOUTS:
                layer.__dict__.pop("forward", None)  # of a training before
                if trainer.world_size > 1:
                    layer.forward = partial(self._drop, layer.forward, layer)

    def take(self, batch_idx: int, images: int) -> float:
        """Begins a step with so many images of this device, and returns what to multiply its mean loss by."""
        rank, devices = self.trainer.global_rank, self.trainer.world_size
        order = getattr(self.trainer.train_dataloader, "sampler", None)
        equal = Share(rank * images, images, devices * images)
        self.share = order.share(batch_idx) if isinstance(order, BatchOrder) else equal
        return self.share.images * devices / self.share.total

    def _drop(self, forward: Callable[[Tensor], Tensor], layer: nn.Module, x: Tensor) -> Tensor:
        if not layer.training or len(x) % self.share.images:
            return forward(x)
        each = len(x) // self.share.images  # a network may have made several of an image
        ones = x.new_ones((each * self.share.total, *x.shape[1:]))
        if x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last):  # drawn in the order of memory
            ones = ones.contiguous(memory_format=torch.channels_last)
        first = each * self.share.first
        return x * forward(ones)[first : first + len(x)]

"""Makes multi-device training match one device: loss weights, shared dropout masks, random generators by step."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lit_cnn.data.order import BatchOrder, Share
from lit_cnn.errors import ConfigError
from lit_cnn.keyed_random import seed_generators
from lit_cnn.training.lightning_internals import syncs_batch_norm

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


class OneNetwork:
    """Training on several devices with the same result as on one, except for rounding.

    Gradients are averaged over the devices. Devices may have different numbers of images in the last batch of an epoch,
    so the loss of each device is weighted by its share of the images. Dropout draws the mask of the global batch as one
    device would, and each device uses its part. Other random draws of a network are the same on each device.

    Raises:
        ConfigError: If `sync_batchnorm` is set on CPUs.
    """

    def __init__(self, net: nn.Module, trainer: Any):
        self.trainer = trainer
        self.share = Share(0, 1, 1)
        self.seed = os.environ.get("PL_GLOBAL_SEED")
        if syncs_batch_norm(trainer) and trainer.strategy.root_device.type == "cpu":
            raise ConfigError(
                "trainer.sync_batchnorm: true works only between GPUs, but this run is on CPUs.\n"
                "Remove it: each process then normalises its own part of the batch."
            )
        for layer in net.modules():
            if type(layer) in DROPOUTS:
                layer.__dict__.pop("forward", None)  # of an earlier training
                if trainer.world_size > 1:
                    layer.forward = partial(self._drop, layer.forward, layer)

    def begin_step(self, batch_idx: int, images: int) -> float:
        """Begins a step with so many images on this device, and returns the weight of its mean loss."""
        if self.seed:  # dropout and the like depend on seed, epoch and batch only
            device = self.trainer.strategy.root_device
            seed_generators(device, int(self.seed), "network", self.trainer.current_epoch, batch_idx)
        rank, devices = self.trainer.global_rank, self.trainer.world_size
        order = getattr(self.trainer.train_dataloader, "sampler", None)
        equal = Share(rank * images, images, devices * images)
        self.share = order.share(batch_idx) if isinstance(order, BatchOrder) else equal
        return self.share.images * devices / self.share.total

    def _drop(self, forward: Callable[[Tensor], Tensor], layer: nn.Module, x: Tensor) -> Tensor:
        if not layer.training or len(x) % self.share.images:
            return forward(x)
        each = len(x) // self.share.images  # a network may make several from one image
        ones = x.new_ones((each * self.share.total, *x.shape[1:]))
        if x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last):  # dropout draws in the order of memory
            ones = ones.contiguous(memory_format=torch.channels_last)
        first = each * self.share.first
        return x * forward(ones)[first : first + len(x)]

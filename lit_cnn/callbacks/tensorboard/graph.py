"""Graph of the network in TensorBoard."""

import warnings
from copy import deepcopy
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only

from lit_cnn.callbacks.tensorboard.figures import boards, data_of, evaluating
from lit_cnn.devices import has_float64


class Graph(Callback):
    """Writes the network's graph with tensor shapes, for TensorBoard's Graphs tab.

    Args:
        enabled: Write it.
    """

    def __init__(self, enabled: bool = True):
        self.enabled = enabled

    @rank_zero_only
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data, net = data_of(trainer), getattr(pl_module, "net", pl_module)
        if not self.enabled or data is None or getattr(net, "_compiled_call_impl", None) is not None:
            return
        with warnings.catch_warnings(), evaluating(pl_module), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")  # TensorBoard uses torch.jit.trace, which is deprecated
            if not has_float64(pl_module.device):  # torch.jit.trace compares outputs in float64
                net = deepcopy(net).cpu()
            weight = next(net.parameters())
            image = torch.zeros(1, data.in_channels, *data.image_size, device=weight.device, dtype=weight.dtype)
            for logger in boards(trainer):
                experiment: Any = logger.experiment
                experiment.add_graph(net, image, use_strict_trace=False)

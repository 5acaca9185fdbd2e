"""Feature figures: the first layer's filters, and feature maps of images."""

from functools import partial
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn

from lit_cnn.callbacks.tensorboard.board import WATCH
from lit_cnn.callbacks.tensorboard.figures import Draws, add, data_of, evaluating, for_network, some
from lit_cnn.data.module import ImageDataModule
from lit_cnn.models.layer_table import hooked
from lit_cnn.plots import feature_maps, filters

LAYERS = 6  # maximum number of layers with feature maps


class Features(Draws):
    """Draws the first layer's filters, and feature maps of some images.

    They are drawn at the end of the training, and earlier if there is time. If the first layer is fully connected, each
    unit has one filter, as large as the image; a pixel permutation is undone in the filters.

    Args:
        enabled: Draw these figures.
        images: Number of validation images (training images, if none are held out) with feature maps.
    """

    def __init__(self, enabled: bool = True, images: int = 2):
        self.enabled = enabled
        self.images = images

    @rank_zero_only
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._budget.allows():
            self.on_train_end(trainer, pl_module)

    @rank_zero_only
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data, module = data_of(trainer), pl_module
        if not self.enabled or data is None or data.preprocess is None:
            return
        with self._budget.spending():
            if (weights := first_filters(module, data)) is not None:
                add(trainer, WATCH + "first layer", filters(weights))
            self._draw_maps(trainer, module, data)

    def _draw_maps(self, trainer: Trainer, module: LightningModule, data: ImageDataModule) -> None:
        assert data.preprocess is not None
        split = "val" if len(data.arrays("val")) else "train"
        inputs, labels = data.batch_maker(split)(some(data, split, self.images))
        outputs = _outputs(module, for_network(module, inputs), nn.Conv2d)
        chosen = [name for name, maps in outputs.items() if maps.ndim == 4 and maps.shape[2] > 1]
        if not chosen:
            return
        step = max(1, (len(chosen) - 1) / (LAYERS - 1))
        chosen = [chosen[round(i * step)] for i in range(min(LAYERS, len(chosen)))]
        for i, picture in enumerate(data.preprocess.to_picture(inputs.cpu())):
            title = f"an image of class {data.class_names[int(labels[i])]}: the strongest maps of the convolutions"
            figure = feature_maps(picture, {name: outputs[name][i] for name in chosen}, title)
            add(trainer, f"{WATCH}feature maps of image {i}", figure)


def first_filters(module: nn.Module, data: ImageDataModule) -> Tensor | None:
    """Returns the weights of the first layer as images `[n, c, h, w]`, or None if they are not images."""
    layer = next((m for m in module.modules() if isinstance(m, (nn.Conv2d, nn.Linear))), None)
    if layer is None:
        return None
    weights = layer.weight.detach().float().cpu()
    if isinstance(layer, nn.Conv2d):
        return weights if max(weights.shape[2:]) > 1 else None
    height, width = data.image_size
    if weights.shape[1] != data.in_channels * height * width:
        return None
    assert data.preprocess is not None
    weights, permute = weights.view(-1, data.in_channels, height, width), data.preprocess.permute
    return weights if permute is None else permute.cpu().inverse(weights)


def _outputs(module: LightningModule, inputs: Tensor, kind: Any) -> dict[str, Tensor]:
    """Returns the outputs of all layers of a kind, in the order of the forward pass."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str, layer: nn.Module, args: Any, output: Tensor) -> None:
        outputs[name] = output.detach().float().cpu().clone()  # a ReLU may work in place

    layers = [(name.removeprefix("net."), layer) for name, layer in module.named_modules() if isinstance(layer, kind)]
    hooks = [(layer, partial(keep, name)) for name, layer in layers]
    with hooked(hooks), evaluating(module), torch.autocast(inputs.device.type, enabled=False):
        module(inputs)
    return outputs

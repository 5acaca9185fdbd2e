"""Layer health as scalars: weight norms, update ratios, activation sizes and dead ReLUs."""

from functools import partial
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn

from lit_cnn.callbacks import tensorboards
from lit_cnn.callbacks.tensorboard.board import WATCH
from lit_cnn.callbacks.tensorboard.figures import Draws, evaluating, for_network, some
from lit_cnn.data.module import ImageDataModule
from lit_cnn.models.layer_table import hooked

EACH = 20  # first epochs, which are always logged; later ones if there is time
LAYERS = 12  # maximum number of layers, evenly spaced


class Health(Draws):
    """Logs each layer's weight norm, update ratio, activation size and share of dead ReLUs, once an epoch.

    The update ratio is the norm of the epoch's last optimizer step, divided by the norm of the weights. About 1e-3 is
    usual, 0.1 is unstable, 1e-6 learns nothing. A ReLU is dead if it is 0 everywhere in all of the images.

    Args:
        enabled: Log these scalars, to TensorBoard only.
        images: Number of training images, without augmentation, for the activations.
    """

    first = 0.0

    def __init__(self, enabled: bool = True, images: int = 64):
        self.enabled = enabled
        self.images = images
        self._hooks: list[Any] = []
        self._before: dict[str, Tensor] = {}
        self._scalars: dict[str, Any] = {}

    @rank_zero_only
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Hooks into the optimizer, to measure the epoch's last step."""
        self._forget()
        if not self.enabled or not tensorboards(trainer) or len(trainer.optimizers) != 1:
            return
        layers, last = _layers(pl_module, (nn.Conv2d, nn.Linear)), trainer.num_training_batches
        progress = trainer.fit_loop.epoch_loop.batch_progress

        def before(*_: Any) -> None:
            if progress.current.ready >= last:
                self._before = {name: layer.weight.detach().clone() for name, layer in layers.items()}

        def after(*_: Any) -> None:
            for name, weight in self._before.items():
                norm = layers[name].weight.detach().float().norm()
                update = (layers[name].weight.detach() - weight).float().norm()
                self._scalars[f"{WATCH}weight norm {name}"] = norm
                self._scalars[f"{WATCH}update ratio {name}"] = update / weight.float().norm().clamp(min=1e-12)
            self._before = {}

        optimizer: Any = getattr(trainer.optimizers[0], "optimizer", trainer.optimizers[0])
        self._hooks = [optimizer.register_step_pre_hook(before), optimizer.register_step_post_hook(after)]

    @rank_zero_only
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measures activations and logs, after each of the first epochs and then if there is time."""
        if trainer.current_epoch < EACH or self._budget.allows():
            with self._budget.spending():
                self._log(trainer, pl_module)
        self._forget()

    def _log(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data = getattr(trainer, "datamodule", None)
        if self.enabled and tensorboards(trainer) and isinstance(data, ImageDataModule):
            inputs, _ = data.batch_maker("train")(some(data, "train", self.images))
            self._scalars |= activations(pl_module, for_network(pl_module, inputs))
        scalars = {name: float(value) for name, value in self._scalars.items()}
        for logger in tensorboards(trainer):
            logger.log_metrics(scalars, trainer.global_step - 1)  # the epoch's last step

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._forget()

    def _forget(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks, self._before, self._scalars = [], {}, {}


def activations(module: LightningModule, inputs: Tensor) -> dict[str, float]:
    """Returns the root mean square of each layer's output, and the share of dead units of each ReLU.

    A unit is a channel of a convolution, or a feature.
    """
    found: dict[str, Tensor] = {}  # a layer that is used several times counts at its last use

    def on_layer(name: str, layer: nn.Module, args: Any, output: Tensor) -> None:
        found[f"{WATCH}activation size {name}"] = output.detach().float().square().mean().sqrt()

    def on_relu(name: str, layer: nn.Module, args: Any, output: Tensor) -> None:
        alive = (output.detach() > 0).transpose(0, 1).flatten(1).any(dim=1)
        found[f"{WATCH}dead ReLUs {name}"] = 1 - alive.float().mean()

    hooks = [(m, partial(on_layer, n)) for n, m in _layers(module, (nn.Conv2d, nn.Linear)).items()]
    hooks += [(m, partial(on_relu, n)) for n, m in _layers(module, nn.ReLU).items()]
    with hooked(hooks), evaluating(module):
        module(inputs)
    return {name: float(value) for name, value in found.items()}


def _layers(module: nn.Module, kind: Any) -> dict[str, Any]:
    """Returns up to `LAYERS` layers of a kind, evenly spaced, by numbered names."""
    found = [(name.removeprefix("net."), m) for name, m in module.named_modules() if isinstance(m, kind)]
    if len(found) > LAYERS:
        found = [found[round(i * (len(found) - 1) / (LAYERS - 1))] for i in range(LAYERS)]
    return {f"{i:02} {name}": layer for i, (name, layer) in enumerate(found, start=1)}

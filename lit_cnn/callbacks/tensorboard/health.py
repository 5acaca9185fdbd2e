"""Whether all layers learn: weights, updates and activations, as scalars."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn

from lit_cnn.callbacks import tensorboards
from lit_cnn.callbacks.tensorboard.figures import Budget, evaluating, for_network, some
from lit_cnn.data.module import ImageDataModule
from lit_cnn.models.layer_table import hooked

EACH = 20  # epochs that are looked at one by one; later ones too, unless they take less than a second or so
LAYERS = 12  # that are shown of a deep network, from the first to the last


class Health(Callback):
    """Logs for layers of weights their norm, and how large a step of the optimizer is beside it, in each epoch's last
    step; and for activations their size, and the share of ReLUs that are dead.

    A ReLU is dead if it is 0 for all of some images, everywhere in each of them. An update of about a thousandth of
    the weights is usual; one of a tenth is wild, and of a millionth nothing.

    Args:
        enabled: Log these scalars, to TensorBoard only.
        images: How many training images (as evaluated, without augmentation) to look at activations with.
    """

    def __init__(self, enabled: bool = True, images: int = 64):
        self.enabled = enabled
        self.images = images
        self._budget = Budget(first=0.0)
        self._hooks: list[Any] = []
        self._before: dict[str, Tensor] = {}
        self._scalars: dict[str, Any] = {}

    @rank_zero_only
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock."""
        self._budget = Budget(first=0.0)

    @rank_zero_only
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Waits for the epoch's last step."""
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
                self._scalars[f"layers/weight norm {name}"] = norm
                self._scalars[f"layers/update ratio {name}"] = update / weight.float().norm().clamp(min=1e-12)
            self._before = {}

        optimizer: Any = getattr(trainer.optimizers[0], "optimizer", trainer.optimizers[0])
        self._hooks = [optimizer.register_step_pre_hook(before), optimizer.register_step_post_hook(after)]

    @rank_zero_only
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Looks at the activations, and logs, after each of the first epochs and then as often as there is time."""
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
            logger.log_metrics(scalars, trainer.global_step - 1)  # the epoch's last, as all that comes at its end

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Lets go of the optimizer."""
        self._forget()

    def _forget(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks, self._before, self._scalars = [], {}, {}


def activations(module: LightningModule, inputs: Tensor) -> dict[str, float]:
    """Returns the root mean square of each layer's output, and the share of dead units behind each ReLU.

    A unit is a channel of a convolution, or a feature.
    """
    squares: dict[str, Tensor] = {}
    alive: dict[str, Tensor] = {}

    def on_layer(name: str) -> Any:
        return lambda layer, args, output: squares.update({name: output.detach().float().square().mean()})

    def on_relu(name: str) -> Any:
        def hook(layer: nn.Module, args: Any, output: Tensor) -> None:
            # A ReLU that is called in several places counts in the last of them.
            alive[name] = (output.detach() > 0).transpose(0, 1).flatten(1).any(dim=1)

        return hook

    hooks = [(m, on_layer(n)) for n, m in _layers(module, (nn.Conv2d, nn.Linear)).items()]
    hooks += [(m, on_relu(n)) for n, m in _layers(module, nn.ReLU).items()]
    with hooked(hooks), evaluating(module):
        module(inputs)
    found = {f"layers/activation size {name}": float(square.sqrt()) for name, square in squares.items()}
    return found | {f"layers/dead ReLUs {name}": 1 - float(units.float().mean()) for name, units in alive.items()}


def _layers(module: nn.Module, kind: Any) -> dict[str, Any]:
    """Returns up to so many layers of a kind, from the first to the last, by numbered names that sort."""
    found = [(name.removeprefix("net."), m) for name, m in module.named_modules() if isinstance(m, kind)]
    if len(found) > LAYERS:
        found = [found[round(i * (len(found) - 1) / (LAYERS - 1))] for i in range(LAYERS)]
    return {f"{i:02} {name}": layer for i, (name, layer) in enumerate(found, start=1)}

"""What methods of a user's own class or network have to return; messages on what is wrong, with their place."""

from typing import Any

from torch import Tensor

from lit_cnn.errors import ConfigError
from lit_cnn.own_code import place_of_method
from lit_cnn.training import lightning_internals as internals


def logits_of(module: Any, images: Tensor) -> Tensor:
    """Returns the logits of `forward`, in float32 at least.

    Raises:
        ConfigError: If it returns something else.
    """
    logits = module(images)
    if not _are_logits(logits, len(images)):
        inherited = type(module).forward.__module__.startswith("lit_cnn.")
        remedy = f"It has to return logits [{len(images)}, classes] for them, in training and evaluation."
        raise _wrong(module.net if inherited else module, "forward", logits, images, remedy)
    return logits.float()  # under bf16 autocast, log-softmax would stay in bf16


def losses_of(module: Any, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the logits and loss of `loss_of`.

    Raises:
        ConfigError: If it returns something else.
    """
    match returned := module.loss_of(images, labels):
        case (logits, Tensor() as loss) if (
            _are_logits(logits, len(labels)) and loss.numel() == 1 and loss.requires_grad
        ):
            return logits, loss.reshape(())
    remedy = f"It has to return (logits, loss): logits [{len(labels)}, classes], and one number with a gradient."
    raise _wrong(module, "loss_of", returned, images, remedy)


def refuse_no_optimizer(module: Any, optimizers: list[Any]) -> None:
    """Raises a ConfigError if `configure_optimizers` has returned no optimizer."""
    if module.automatic_optimization and all(map(internals.stands_for_none, optimizers)):
        place = place_of_method(type(module), "configure_optimizers")
        raise ConfigError(f"{place} has returned no optimizer. It has to return one, as by `return Adam(...)`.")


def _are_logits(logits: Any, number: int) -> bool:
    return isinstance(logits, Tensor) and logits.dim() == 2 and len(logits) == number


def _wrong(owner: Any, method: str, returned: Any, images: Tensor, remedy: str) -> ConfigError:
    place = place_of_method(type(owner), method)
    return ConfigError(f"{place} has returned {_in_words(returned)} for images {list(images.shape)}.\n{remedy}")


def _in_words(returned: Any) -> str:
    if isinstance(returned, (tuple, list)):
        return f"({', '.join(map(_in_words, returned[:5]))})"
    if isinstance(returned, Tensor):
        return f"a tensor {list(returned.shape)}{' without a gradient' * (not returned.requires_grad)}"
    return "None" if returned is None else f"a {type(returned).__name__}"

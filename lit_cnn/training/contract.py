"""What methods of a user's own class or network have to return; messages on what is wrong, with their place."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from torch import Tensor, nn

from lit_cnn.errors import ConfigError, nearest
from lit_cnn.own_code import place_of_method
from lit_cnn.training.lightning_internals import SCHEDULER_KEYS

OPTIMIZER_KEYS = ("optimizer", "lr_scheduler", "monitor")


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


class CheckedOptimizers:
    """Base class that refuses what Lightning would ignore of a user's `configure_optimizers`: wrong keys, no optimizer.

    Lightning only warns about them, and trains without the schedule.
    """

    configure_optimizers: Any

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        home = getattr(cls.configure_optimizers, "__module__", None)
        if callable(cls.configure_optimizers) and not str(home).startswith("lit_cnn."):
            cls.configure_optimizers = _checked(cls.configure_optimizers)


def _checked(configure: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @wraps(configure)
    def configure_optimizers(self: Any) -> Any:
        returned = configure(self)
        if type(self).configure_optimizers is configure_optimizers:  # else a subclass may change it
            place = place_of_method(type(self), "configure_optimizers")
            _refuse_ignored(returned, self.automatic_optimization, place)
            _refuse_others_parameters(returned, self, place)
        return returned

    return configure_optimizers


def _refuse_ignored(returned: Any, automatic: bool, place: str) -> None:
    empty = not returned or (isinstance(returned, (list, tuple)) and not any(returned))
    if automatic and empty:
        raise ConfigError(f"{place} has returned no optimizer. It has to return one, as by `return Adam(...)`.")
    for what, given, known in _dicts_of(returned):
        for key, value in given.items():
            if key in (known[0], "lr_scheduler") and value is None:
                raise ConfigError(f"{place} has returned {what} whose {key!r} is None. Give one, or leave the key out.")
            if key not in known:
                inner = known is OPTIMIZER_KEYS and key in SCHEDULER_KEYS
                near = " It belongs in the dict of lr_scheduler." if inner else nearest(str(key), list(known))
                raise ConfigError(
                    f"{place} has returned {what} with the key {key!r}, which has no effect.{near}\n"
                    f"The keys are {', '.join(known)}."
                )
            if key == "optimizer" and not hasattr(value, "param_groups"):
                raise ConfigError(f"{place} has returned {what} whose 'optimizer' is {value!r}. Give one optimizer.")
            if key == "lr_scheduler" and isinstance(value, (list, tuple)):
                raise ConfigError(
                    f"{place} has returned {what} whose 'lr_scheduler' is a {type(value).__name__}. "
                    "Give one scheduler, or a dict with the key 'scheduler'."
                )
            if key == "frequency" and not (isinstance(value, int) and value >= 1):
                raise ConfigError(f"{place} has returned {what} whose 'frequency' is {value!r}. Give 1 or more.")
        if known[0] not in given:
            raise ConfigError(f"{place} has returned {what} without the key {known[0]!r}.")


def _refuse_others_parameters(returned: Any, module: nn.Module, place: str) -> None:
    """Raises a ConfigError if no optimizer has a parameter of the module, so that nothing would be trained."""
    groups = (group for optimizer in _optimizers_of(returned) for group in optimizer.param_groups)
    held = {id(parameter) for group in groups for parameter in group["params"]}
    if held and held.isdisjoint(map(id, module.parameters())):
        raise ConfigError(
            f"{place} has returned an optimizer of other parameters, so the network would not be trained.\n"
            "Give it those of this module, as by `Adam(self.parameters())`."
        )


def _optimizers_of(returned: Any) -> Iterator[Any]:
    match returned:
        case dict():
            yield from _optimizers_of(returned.get("optimizer"))
        case [*several]:
            for one in several:
                yield from _optimizers_of(one)
        case _ if hasattr(returned, "param_groups"):
            yield returned


def _dicts_of(returned: Any) -> Iterator[tuple[str, dict[Any, Any], tuple[str, ...]]]:
    """Yields the dicts in what `configure_optimizers` has returned, each with its name and possible keys."""
    schedulers: Any = []
    match returned:
        case dict():
            yield "a dict", returned, OPTIMIZER_KEYS
            schedulers = [returned.get("lr_scheduler")]
        case ([*_], schedulers):
            schedulers = schedulers if isinstance(schedulers, list) else [schedulers]
        case [*several]:
            for one in several:
                yield from _dicts_of(one)
    for one in schedulers:
        if isinstance(one, dict):
            yield "an lr_scheduler", one, SCHEDULER_KEYS


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

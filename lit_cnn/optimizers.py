"""Optimizers and schedulers of torch by name, checked before anything is trained."""

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lit_cnn.errors import nearest

# The arguments that stand for a run's length, which we know and the user should not have to compute.
LENGTHS = ("total_steps", "T_max")


def build_optimizer(name: str, parameters: Iterable[nn.Parameter], lr: float, settings: dict[str, Any]) -> Optimizer:
    """Returns the optimizer of this name in `torch.optim`.

    Raises:
        ValueError: If there is none, or it does not take these settings.
    """
    optimizer_class = _find(name, torch.optim, Optimizer, "optimizer")
    if "lr" in settings:
        raise ValueError(f"`optimizer_args` has lr: {settings['lr']}. Set the learning rate by `lr` alone.")
    return _construct(optimizer_class, "optimizer_args", settings, parameters, lr=lr)


def build_scheduler(name: str, optimizer: Optimizer, settings: dict[str, Any], length: int) -> LRScheduler:
    """Returns the scheduler of this name in `torch.optim.lr_scheduler`.

    Args:
        name: Name of the class, such as "OneCycleLR".
        optimizer: The optimizer whose learning rate it sets.
        settings: Its arguments. Left out, `total_steps` and `T_max` are the run's length and `max_lr` is the
            optimizer's learning rate.
        length: How often it will be stepped in the run.

    Raises:
        ValueError: If there is none of this name, or it does not take these settings.
    """
    scheduler_class = _find(name, torch.optim.lr_scheduler, LRScheduler, "scheduler")
    known = inspect.signature(scheduler_class).parameters
    defaults: dict[str, Any] = {argument: length for argument in LENGTHS if argument in known}
    if "max_lr" in known:
        defaults["max_lr"] = optimizer.param_groups[0]["lr"]
    if "epochs" in settings:  # OneCycleLR's other way to say its length
        defaults.pop("total_steps", None)
    return _construct(scheduler_class, "scheduler_args", defaults | settings, optimizer)


def _find(name: str, module: Any, base: type, kind: str) -> type:
    known = [n for n, c in vars(module).items() if isinstance(c, type) and issubclass(c, base) and c is not base]
    known = [n for n in known if not n.startswith("_")]
    if name not in known:
        raise ValueError(
            f"`{kind}` {name!r} is not in {module.__name__}.{nearest(name, known)} "
            f"There are {', '.join(sorted(known))}."
        )
    return getattr(module, name)


def _construct(cls: type, argument: str, settings: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
    known = [name for name in inspect.signature(cls).parameters if name not in ("params", "lr", "optimizer")]
    for key in settings:
        if key not in known:
            raise ValueError(
                f"`{argument}` has {key!r}, which {cls.__name__} does not take.{nearest(key, known)} "
                f"It takes {', '.join(known)}."
            )
    try:
        return cls(*args, **kwargs, **settings)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise ValueError(
            f"{cls.__name__} refuses `{argument}` {settings} with lr {_lr(args, kwargs)}: {error}"
        ) from None


def _lr(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return kwargs["lr"] if "lr" in kwargs else args[0].param_groups[0]["lr"]

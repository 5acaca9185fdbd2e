"""Optimizers and learning-rate schedulers by name, checked before the training."""

import inspect
import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from numbers import Real
from types import ModuleType
from typing import Any, get_type_hints

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR, ReduceLROnPlateau

from lit_cnn.errors import ConfigError, nearest
from lit_cnn.training import lr_schedules, muon, param_groups
from lit_cnn.training.lr_schedules import ENDS
from lit_cnn.training.monitors import PLATEAU, mode_of
from lit_cnn.typed_arguments import fits, in_words

# Arguments that are set to the length of the run, so that the user need not compute it.
LENGTHS = ("total_steps", "T_max")

# Errors that torch raises for invalid values.
REFUSALS = (RuntimeError, TypeError, ValueError, ArithmeticError, LookupError)


def parameters_to_train(
    net: nn.Module, decay_norms_and_biases: bool = True, groups: Sequence[dict[str, Any]] = (), per_epoch: int = 1
) -> list[Any]:
    """Returns a network's parameters for an optimizer, in the groups of `param_groups`; `per_epoch` is in steps.

    Parameters of fewer than two dimensions become groups without weight decay if `decay_norms_and_biases` is false
    (He et al. 2019, https://arxiv.org/abs/1812.01187, section 3.1). Raises a ConfigError if there are none.
    """
    found: list[dict[str, Any]] = []
    for one in param_groups.members(net.named_parameters(), groups):
        settings = param_groups.of_optimizer(one.settings)
        if "epochs" in one.settings:
            settings[ENDS] = one.settings["epochs"] * per_epoch
        if decay_norms_and_biases or "weight_decay" in settings:
            found.append({"params": one.parameters, **settings})
        else:
            weights, others = ([p for p in one.parameters if (p.dim() > 1) == decayed] for decayed in (True, False))
            found += [{"params": weights, **settings}, {"params": others, **settings, "weight_decay": 0.0}]
    found = [group for group in found if group["params"]]
    if not found:
        frozen = sum(parameter.numel() for parameter in net.parameters())
        why = f"all its {frozen:,} numbers are frozen (requires_grad is False)" if frozen else "it has no parameters"
        lists = "" if frozen else "\nLayers in a Python list are not found: use nn.ModuleList."
        raise ConfigError(f"The network {type(getattr(net, 'net', net)).__name__} cannot be trained: {why}.{lists}")
    return found[0]["params"] if [group.keys() for group in found] == [{"params"}] else found


def build(
    net: nn.Module, h: Any, length: int | None = None, validate_every: int | None = 1, per_epoch: int = 1
) -> dict[str, Any]:
    """Returns optimizer and scheduler of a network in Lightning's form, or raises a ValueError if they do not suit.

    Args:
        net: The network.
        h: The settings of a LitClassifier.
        length: Number of steps of the scheduler in the run, if known.
        validate_every: Epochs between validations, if they are counted in epochs.
        per_epoch: Steps of the scheduler in an epoch.
    """
    parameters = parameters_to_train(net, h["decay_norms_and_biases"], h["param_groups"] or (), per_epoch)
    optimizer = build_optimizer(h["optimizer"], parameters, h["lr"], h["optimizer_args"] or {})
    if h["scheduler"] is None:
        return {"optimizer": optimizer}
    settings, interval = h["scheduler_args"] or {}, h["scheduler_interval"]
    scheduler = build_scheduler(h["scheduler"], optimizer, settings, length or 100)
    config: dict[str, Any] = {"scheduler": scheduler, "interval": interval}
    if isinstance(scheduler, ReduceLROnPlateau):
        config["monitor"] = monitor = settings.get("monitor", PLATEAU)
        validated = monitor.startswith("val/")
        if interval == "step":
            raise ValueError(
                f"`scheduler_interval` is step, but ReduceLROnPlateau needs {monitor}, which is measured once "
                f"per {'validation' if validated else 'epoch'}. Set `scheduler_interval` to epoch, or remove it."
            )
        if validated:
            config["frequency"] = validate_every or 1  # stepped when its metric is new
    if length:
        refuse_short(scheduler, length)
    return {"optimizer": optimizer, "lr_scheduler": config}


def refuse_unwritable(**arguments: dict[str, Any] | None) -> None:
    """Raises a ConfigError if an argument of optimizer or scheduler is not a plain value, as checkpoints need."""
    for name, settings in arguments.items():
        for key, value in (settings or {}).items():
            if not _is_plain(value):
                raise ConfigError(
                    f"`{name}` has {key}: {value!r}, which cannot be saved in a checkpoint. Use numbers, texts, lists "
                    "or dicts.\nFor a schedule with a function, override `configure_optimizers` in a subclass, or use "
                    "one of lit_cnn.training.lr_schedules."
                )


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple, dict)):
        return all(map(_is_plain, value.values() if isinstance(value, dict) else value))
    return value is None or isinstance(value, (bool, str, Real, torch.Tensor))


def refuse_short(scheduler: LRScheduler, length: float, own_place: str = "") -> None:
    """Raises a ConfigError if a schedule of fixed length, such as OneCycleLR, is shorter than the run.

    `own_place` is the user's own code that made the schedule, if any.
    """
    if isinstance(scheduler, OneCycleLR) and scheduler.total_steps < length:
        remedy = (
            f"Give it total_steps={length:.0f} in {own_place}"
            if own_place
            else "Remove its length from `scheduler_args`"
        )
        raise ConfigError(
            f"OneCycleLR ends after {scheduler.total_steps} steps, but the run has {length:.0f}.\n"
            f"{remedy}. A checkpoint keeps its length: to train longer, start a new run."
        )


def find_optimizer(name: str) -> type:
    """Returns the optimizer of this name in `torch.optim`, or lit_cnn's Muon, which takes filters, unlike torch's."""
    return _find(name, [torch.optim, muon], Optimizer, "optimizer")


def build_optimizer(
    name: str, parameters: Iterable[Any], lr: float, settings: dict[str, Any], argument: str = "optimizer_args"
) -> Optimizer:
    """Returns the optimizer of this name, in its fused form if it has one; errors name the `argument` of its settings.

    A fused step is one kernel for all parameters (`python scripts/bench.py step` measures it); set `fused: false` or
    `foreach: true` for the other forms.
    """
    optimizer_class = find_optimizer(name)
    if "lr" in settings:
        raise ValueError(f"`optimizer_args` has lr: {settings['lr']}. Set the learning rate only with `lr`.")
    others = settings.keys() & {"fused", "foreach", "differentiable"}
    fused = {"fused": True} if "fused" in inspect.signature(optimizer_class).parameters and not others else {}
    return _construct(optimizer_class, argument, settings, parameters, lr=lr, **fused)


def build_scheduler(name: str, optimizer: Optimizer, settings: dict[str, Any], length: int) -> LRScheduler:
    """Returns the scheduler of this name in `torch.optim.lr_scheduler` or `lit_cnn.training.lr_schedules`.

    By default its `total_steps` and `T_max` are `length`, the number of its steps in the run, and its `max_lr` is the
    optimizer's learning rate. ReduceLROnPlateau also takes `monitor`, its metric.
    """
    scheduler_class = _find(name, [torch.optim.lr_scheduler, lr_schedules], LRScheduler, "scheduler")
    known = inspect.signature(scheduler_class).parameters
    defaults: dict[str, Any] = {argument: length for argument in LENGTHS if argument in known}
    if scheduler_class is ReduceLROnPlateau:
        monitor = settings.get("monitor", PLATEAU)
        mode = mode_of(monitor)
        defaults["mode"] = mode or "min"
        settings = {k: v for k, v in settings.items() if k != "monitor"}
        if mode and settings.get("mode", mode) != mode:
            raise ValueError(
                f"`scheduler_args` has mode: {settings['mode']}, the wrong direction for {monitor}. Remove it."
            )
    if "max_lr" in known:
        rates = [group["lr"] for group in optimizer.param_groups]
        defaults["max_lr"] = rates if len(set(rates)) > 1 else rates[0]
    if "epochs" in settings:  # OneCycleLR's other form of its length
        defaults.pop("total_steps", None)
    others = {name: value for name, value in defaults.items() if name not in settings}
    return _construct(scheduler_class, "scheduler_args", settings, optimizer, **others)


def try_out(h: Any) -> None:
    """Tries one step with the optimizer and scheduler of a LitClassifier's settings `h`, or raises a ValueError.

    So it finds bad values that their constructors accept.
    """
    groups = h["param_groups"] or []
    param_groups.check(groups, find_optimizer(h["optimizer"]))
    if any("epochs" in group for group in groups) and h["scheduler"] not in vars(lr_schedules):
        raise ValueError(
            f"`param_groups` has epochs, the end of a group's schedule, but `scheduler` is {h['scheduler']}. Use one "
            f"of lit_cnn's own: {', '.join(lr_schedules.__all__)}."
        )
    with torch.inference_mode(False), torch.enable_grad(), torch.device("cpu"):
        net = nn.Linear(1, 1)
        built = build(net, h | {"param_groups": None})
        for group in groups:  # torch checks the settings of an optimizer, but not of its groups
            settings = param_groups.of_optimizer(group)
            rate, arguments = settings.pop("lr", h["lr"]), (h["optimizer_args"] or {}) | settings
            build_optimizer(h["optimizer"], net.parameters(), rate, arguments, "param_groups")
        optimizer = built["optimizer"]

        def loss() -> torch.Tensor:
            optimizer.zero_grad()
            value = net(torch.ones(1, 1)).sum()
            value.backward()
            return value

        try:
            with suppress(AssertionError):  # `capturable` is for GPUs only
                optimizer.step(loss)
        except REFUSALS as error:
            given = {key: value for key, value in optimizer.defaults.items() if key not in ("lr", "fused") and value}
            raise _refused(optimizer, "optimizer_args", given, error) from None
        config = built.get("lr_scheduler", {})
        try:
            if scheduler := config.get("scheduler"):
                scheduler.step(*([1.0] if "monitor" in config else []))
        except REFUSALS as error:
            raise _refused(scheduler, "scheduler_args", h["scheduler_args"] or {}, error) from None
    for rate in (group["lr"] for group in optimizer.param_groups):
        if not (rate >= 0 and math.isfinite(rate)):
            raise ValueError(
                f"{h['scheduler']} with `scheduler_args` {h['scheduler_args']} sets a learning rate of {rate}."
            )


def _refused(part: Any, argument: str, given: dict[str, Any], error: Exception) -> ValueError:
    plain = {key: value for key, value in given.items() if isinstance(value, (bool, int, float, str, tuple))}
    what = " ".join(str(error).split())[:200]
    return ValueError(f"{type(part).__name__} cannot make a step with `{argument}` {plain}: {what}")


def _find(name: str, modules: list[ModuleType], base: type, kind: str) -> type:
    found = {key: value for module in modules for key, value in vars(module).items() if not key.startswith("_")}
    known = {key: c for key, c in found.items() if isinstance(c, type) and issubclass(c, base) and c is not base}
    if name not in known:
        where = " or ".join(module.__name__ for module in modules)
        raise ValueError(
            f"`{kind}` {name!r} is not in {where}.{nearest(name, list(known))} Choices: {', '.join(sorted(known))}."
        )
    return known[name]


def _construct(cls: type, argument: str, settings: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
    known = [name for name in inspect.signature(cls).parameters if name not in ("params", "lr", "optimizer")]
    kinds = dict[str, Any]()
    with suppress(NameError):  # a type that torch imports only for type checkers
        kinds = get_type_hints(cls.__init__)  # type: ignore[misc]
    for key, value in settings.items():
        if isinstance(value, str) and key in kinds and not fits(value, kinds[key]):  # else `fused: x` means true
            raise ValueError(
                f"{cls.__name__}'s {key} in `{argument}` has to be {in_words(kinds[key])}, but got {value!r}."
            )
        if key not in known:
            raise ValueError(
                f"`{argument}` has {key!r}, which is not an argument of {cls.__name__}.{nearest(key, known)} "
                f"Its arguments are {', '.join(known)}."
            )
    try:
        return cls(*args, **kwargs, **settings)
    except REFUSALS as error:
        lr = kwargs["lr"] if "lr" in kwargs else args[0].param_groups[0]["lr"]
        raise ValueError(f"{cls.__name__} refuses `{argument}` {settings} with lr {lr}: {error}") from None

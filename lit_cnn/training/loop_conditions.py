"""Conditions for the fast loop (fast_loop.py): no part of the run needs Lightning's calls at each batch.

For anything unknown Lightning's own loop runs: a foreign class with a batch hook, a hook set on an instance, another
strategy, precision or optimizer.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar

from lightning.pytorch import Callback, LightningDataModule, LightningModule
from lightning.pytorch import callbacks as theirs
from lightning.pytorch.plugins.precision import MixedPrecision, Precision
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch.nn.modules import module as torch_module

from lit_cnn.data.loader import ArrayLoader
from lit_cnn.training.lightning_internals import STEPS_OF_OPTIMIZATION, loader_of

# Callbacks whose batch hooks may miss batches. They see the first and last batch of an evaluation, the last of an
# epoch, batches with a validation, a checkpoint or a log, and some in between. Their subclasses are not included.
PATIENT_IN_EVALUATION: set[type] = {theirs.TQDMProgressBar, theirs.RichProgressBar}
PATIENT_IN_TRAINING: set[type] = PATIENT_IN_EVALUATION | {
    *(theirs.LearningRateMonitor, theirs.DeviceStatsMonitor, theirs.ModelCheckpoint, theirs.Timer)
}

# Methods that Lightning calls at each batch: of callbacks and module, of the module only, and for transfers.
TRAINING_HOOKS = (
    *("on_train_batch_start", "on_train_batch_end", "on_before_zero_grad", "on_before_backward"),
    *("on_after_backward", "on_before_optimizer_step"),
)
TRAINING_STEPS = (
    *("training_step", "backward", "optimizer_step", "optimizer_zero_grad", "lr_scheduler_step"),
    *("configure_gradient_clipping", "clip_gradients"),
)
TRANSFERS = ("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer")
# Methods that the steps of LitClassifier call; subclasses in lit_cnn may override them.
WITHIN_STEPS = ("__call__", "forward", "loss_of", "evaluate", "count", "log", "log_dict")
HOOKS_OF_MODULES = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
HOOKS_OF_WEIGHTS = ("_backward_hooks", "_post_accumulate_grad_hooks")
HOOKS_OF_OPTIMIZERS = ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks")

# Methods of Lightning's parts that a step runs, which a program may have replaced.
STEPS_OF_STRATEGY = ("training_step", "backward", "optimizer_step", "batch_to_device")
STEPS_OF_PRECISION = ("optimizer_step", "backward", "pre_backward", "post_backward", "convert_input")
LOGGERS = ("lit_cnn.", "lightning.pytorch.loggers.")  # these neither stop a run nor look at it

Kind = TypeVar("Kind", bound=type)
_GLOBAL_HOOKS = [name for name in vars(torch_module) if name.startswith("_global_") and name.endswith("_hooks")]
_NO_HOOKS = {name: function for name, function in vars(Callback).items() if name.startswith("on_")}


def patient(kind: Kind) -> Kind:
    """Marks a callback class, but not its subclasses, as one that may miss batches."""
    PATIENT_IN_TRAINING.add(kind)
    PATIENT_IN_EVALUATION.add(kind)
    return kind


def may_train(loop: Any, base: type[LightningModule]) -> bool:
    """Whether the next training steps, in Lightning's loop over the batches of an epoch, may skip its calls.

    The hooks of the class `base`, of which the module is an instance, need no call at each batch.
    """
    trainer, module = loop.trainer, loop.trainer.lightning_module
    return (
        trainer.accumulate_grad_batches == 1
        and not trainer.gradient_clip_val
        and not trainer.should_stop
        and isinstance(module, base)
        and module.automatic_optimization
        and all(_is_plain_schedule(config) for config in trainer.lr_scheduler_configs)
        and _is_plain(trainer, module, base, trainer.fit_loop)
        and _is_as_written(loop.automatic_optimization, STEPS_OF_OPTIMIZATION)
        and _is_plain_optimizer(trainer)
        and all(_may_miss(callback, TRAINING_HOOKS, PATIENT_IN_TRAINING) for callback in trainer.callbacks)
        and _are_of(module, base, (*TRAINING_HOOKS, *TRAINING_STEPS))
    )


def may_evaluate(loop: Any, base: type[LightningModule]) -> bool:
    """Whether the next batches of a validation or a test may skip Lightning's calls."""
    trainer, module = loop.trainer, loop.trainer.lightning_module
    stage = "test" if trainer.testing else "validation"
    hooks = (f"on_{stage}_batch_start", f"on_{stage}_batch_end")
    return (
        isinstance(module, base)
        and _is_plain(trainer, module, base, loop)
        and all(_may_miss(callback, hooks, PATIENT_IN_EVALUATION) for callback in trainer.callbacks)
        and _are_of(module, base, (*hooks, f"{stage}_step"))
    )


def _is_plain(trainer: Any, module: Any, base: Any, loop: Any) -> bool:
    """Whether batches come from our loader, and all parts that they go through are known."""
    strategy, precision, data = trainer.strategy, trainer.precision_plugin, trainer.datamodule
    return (
        module.fast_loop
        and type(loader_of(loop)) is ArrayLoader
        and type(trainer.profiler) is PassThroughProfiler
        and type(strategy) is SingleDeviceStrategy
        and type(precision) in (Precision, MixedPrecision)
        and getattr(precision, "scaler", None) is None
        and _is_as_written(strategy, STEPS_OF_STRATEGY)
        and _is_as_written(precision, STEPS_OF_PRECISION)
        and all(type(logger).__module__.startswith(LOGGERS) for logger in trainer.loggers)
        and (data is None or _are_of(data, LightningDataModule, TRANSFERS))
        and _are_of(module, base, TRANSFERS)
        and all(_is_ours(_function(module, name), "torch.") for name in WITHIN_STEPS)
        and not any(getattr(torch_module, name) for name in _GLOBAL_HOOKS)
        and all(_is_plain_part(part) for part in module.modules())
        and all(_has_only_our_hooks(weight, HOOKS_OF_WEIGHTS) for weight in module.parameters())
    )


def _is_plain_part(part: Any) -> bool:
    """Whether a layer is torch's, torchvision's or ours, without foreign hooks."""
    return (
        _has_only_our_hooks(part, HOOKS_OF_MODULES)
        and "forward" not in vars(part)
        and _is_ours(type(part).forward, "torch.", "torchvision.", "torchmetrics.")
    )


def _is_plain_schedule(config: Any) -> bool:
    """Whether a learning-rate schedule is torch's or ours, and needs no metric at a step."""
    factors = getattr(config.scheduler, "lr_lambdas", [])
    return (
        type(config.scheduler).__module__.startswith(("torch.optim.", "lit_cnn."))
        and not (config.reduce_on_plateau and config.interval == "step")
        and all(_is_ours(factor) for factor in factors)
    )


def _is_plain_optimizer(trainer: Any) -> bool:
    if len(trainer.optimizers) != 1:
        return False
    optimizer = trainer.optimizers[0]
    return (
        type(optimizer).__module__.startswith(("torch.optim.", "lit_cnn."))
        and "zero_grad" not in vars(optimizer)
        and _is_ours(type(optimizer).zero_grad, "torch.")
        and _has_only_our_hooks(optimizer, HOOKS_OF_OPTIMIZERS)
    )


def _may_miss(callback: Callback, hooks: Iterable[str], patient: set[type]) -> bool:
    """Whether a callback has none of these hooks, or is of a class that may miss batches."""
    functions = {name: _function(callback, name) for name in hooks}
    nothing = all(function is _NO_HOOKS[name] for name, function in functions.items())
    return (nothing or type(callback) in patient) and all(map(_is_ours, functions.values()))


def _are_of(this: Any, base: type, names: Iterable[str]) -> bool:
    """Whether these methods are the base class's, unchanged."""
    functions = ((name, _function(this, name)) for name in names)
    return all(function is getattr(base, name) and _is_ours(function) for name, function in functions)


def _function(this: Any, name: str) -> Any:
    """Returns the function of a method, or None if the instance has replaced it."""
    method = getattr(this, name)
    return getattr(method, "__func__", None) if getattr(method, "__self__", None) is this else None


def _is_ours(function: Any, *others: str) -> bool:
    """Whether a function is defined in lit_cnn or Lightning; a wrapper around one is not."""
    home: str = getattr(function, "__globals__", {}).get("__name__", "")
    return home.startswith(("lit_cnn.", "lightning.", *others))


def _is_as_written(this: Any, steps: Iterable[str]) -> bool:
    """Whether an object is of a Lightning class, with its methods unchanged."""
    kind: Any = type(this)
    return (
        kind.__module__.startswith("lightning.")
        and _methods(kind).isdisjoint(vars(this))
        and all(_is_ours(getattr(kind, name)) for name in steps)
    )


def _has_only_our_hooks(this: Any, kinds: Iterable[str]) -> bool:
    """Whether all hooks of a module, weight or optimizer are lit_cnn's or Lightning's."""
    return all(_is_ours(hook) for kind in kinds for hook in (getattr(this, kind) or {}).values())


@cache
def _methods(kind: type) -> frozenset[str]:
    return frozenset(name for name in dir(kind) if callable(getattr(kind, name)))

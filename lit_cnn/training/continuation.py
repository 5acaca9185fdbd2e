"""Exact resume: running metrics, accumulated gradients and a due plateau step, which Lightning does not save."""

from typing import Any

from torch import Tensor

from lit_cnn.training.metrics import counts_of, go_on_counting

PARTS = ("train_metrics", "gradients", "plateau")


def noted(module: Any) -> dict[str, Any]:
    """Returns the state to add to a checkpoint.

    Args:
        module: The LitClassifier that is trained.
    """
    counts = counts_of(module.metrics["train_metrics"])
    return dict(zip(PARTS, (counts, _gradients(module), _due_plateau_step(module.trainer)), strict=True))


def go_on(module: Any, begun: dict[str, Any]) -> None:
    """Restores this state in a module that resumes.

    Args:
        module: The LitClassifier that is trained.
        begun: What `noted` returned; checkpoints of earlier versions may lack parts.
    """
    trainer = module.trainer
    loop = trainer.fit_loop.epoch_loop
    in_the_middle = 0 < loop.batch_progress.current.ready < trainer.num_training_batches
    if in_the_middle or loop.val_loop.restarted_mid_evaluation:
        go_on_counting(module.metrics["train_metrics"], begun.get("train_metrics", {}), first=module.global_rank == 0)
    parameters = dict(module.named_parameters())
    for name, gradient in begun.get("gradients", {}).items():
        parameters[name].grad = gradient.to(parameters[name].device)
    for config in trainer.lr_scheduler_configs:
        if config.reduce_on_plateau and (metric := begun.get("plateau")) is not None:
            module.lr_scheduler_step(config.scheduler, metric)


def _gradients(module: Any) -> dict[str, Tensor]:
    """Returns the gradients of an unfinished step with `accumulate_grad_batches`."""
    trainer = module.trainer
    if (not trainer.training and not trainer.validating) or not trainer.fit_loop.epoch_loop._should_accumulate():
        return {}
    begun = {name: weight.grad for name, weight in module.named_parameters() if weight.grad is not None}
    # The mean over devices: each continues from it, which gives the same mean of the whole sum.
    return {name: trainer.strategy.reduce(gradient.clone(), reduce_op="mean") for name, gradient in begun.items()}


def _due_plateau_step(trainer: Any) -> float | None:
    """Returns the metric of ReduceLROnPlateau if only its step is left of the epoch.

    Lightning takes that step after the callbacks have saved their checkpoints, and loses the metric on resume.
    """
    loop = trainer.fit_loop
    progress = loop.epoch_progress.current
    ends = progress.ready > progress.completed and loop.epoch_loop._num_ready_batches_reached()
    for config in trainer.lr_scheduler_configs:
        known = progress.processed > progress.completed or str(config.monitor).startswith("val/")
        if not config.reduce_on_plateau or not ends or not known or loop.restarting:
            continue
        if config.interval == "epoch" and (trainer.current_epoch + 1) % config.frequency == 0:
            metric = trainer.callback_metrics.get(config.monitor)
            return None if metric is None else float(metric)
    return None

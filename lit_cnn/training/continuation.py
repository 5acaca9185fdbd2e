"""What Lightning's checkpoints lack for an exact resume: begun metrics, begun gradients, a plateau step that is due."""

from typing import Any

from torch import Tensor

from lit_cnn.training.metrics import counts_of, go_on_counting

PARTS = ("train_metrics", "gradients", "plateau")


def noted(module: Any) -> dict[str, Any]:
    """Returns what to add to a checkpoint that is written now.

    Args:
        module: The LitClassifier that is trained.
    """
    counts = counts_of(module.metrics["train_metrics"])
    return dict(zip(PARTS, (counts, _gradients(module), _due_plateau_step(module.trainer)), strict=True))


def go_on(module: Any, begun: dict[str, Any]) -> None:
    """Brings a module that resumes to where the checkpoint was.

    Args:
        module: The LitClassifier that is trained.
        begun: What `noted` had returned; of checkpoints of before, as much as there is.
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
    """Returns the gradients that wait for the batches to come of a step by `accumulate_grad_batches`."""
    trainer = module.trainer
    if (not trainer.training and not trainer.validating) or not trainer.fit_loop.epoch_loop._should_accumulate():
        return {}
    begun = {name: weight.grad for name, weight in module.named_parameters() if weight.grad is not None}
    # The mean over devices, each of which goes on from it: the mean over them of the whole sum is the same.
    return {name: trainer.strategy.reduce(gradient.clone(), reduce_op="mean") for name, gradient in begun.items()}


def _due_plateau_step(trainer: Any) -> float | None:
    """Returns the metric of ReduceLROnPlateau, where all is done of an epoch but its step.

    Lightning takes that step after the callbacks have written their checkpoints, and forgets the metric on resume.
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

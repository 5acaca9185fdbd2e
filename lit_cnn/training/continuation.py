"""Exact resume: saves running metrics, accumulated gradients and a pending plateau step, which Lightning does not."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lit_cnn.own_code import own_method
from lit_cnn.training import lightning_internals as internals
from lit_cnn.training.buffered_metrics import BufferedMetrics
from lit_cnn.training.metrics import counts_of, go_on_counting
from lit_cnn.training.optimizers import refuse_short

PARTS = ("train_metrics", "gradients", "plateau")


class Continuation(Callback):
    """Saves and restores the state that a resume within an epoch needs in addition to Lightning's."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Removes the state of an earlier run."""
        self._begun: dict[str, Any] = {}

    def on_save_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Adds the state to a checkpoint."""
        if not isinstance(getattr(pl_module, "metrics", None), BufferedMetrics):
            return
        pl_module.metrics.catch_up("train")
        counts = counts_of(pl_module.metrics["train_metrics"])
        checkpoint |= dict(zip(PARTS, (counts, _gradients(pl_module), _due_plateau_step(trainer)), strict=True))

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keeps the state; checkpoints of earlier versions may lack parts."""
        self._begun = {part: checkpoint[part] for part in PARTS if part in checkpoint}

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Restores the state and the loader's position."""
        if not isinstance(getattr(pl_module, "metrics", None), BufferedMetrics):
            return
        internals.restore_loader(trainer)
        begun, self._begun = self._begun, {}
        loop = trainer.fit_loop.epoch_loop
        in_the_middle = 0 < loop.batch_progress.current.ready < trainer.num_training_batches
        if in_the_middle or loop.val_loop.restarted_mid_evaluation:
            counts, first = begun.get("train_metrics", {}), trainer.global_rank == 0
            go_on_counting(pl_module.metrics["train_metrics"], counts, first)
        parameters = dict(pl_module.named_parameters())
        for name, gradient in begun.get("gradients", {}).items():
            parameters[name].grad = gradient.to(parameters[name].device)
        own_place = own_method(type(pl_module), "configure_optimizers")
        for config in trainer.lr_scheduler_configs:
            if config.reduce_on_plateau and (metric := begun.get("plateau")) is not None:
                pl_module.lr_scheduler_step(config.scheduler, metric)
            per_step = config.interval == "step"  # a checkpoint restores its own length
            length = trainer.estimated_stepping_batches if per_step else trainer.max_epochs or 0
            refuse_short(config.scheduler, length, own_place)


def _gradients(module: Any) -> dict[str, Tensor]:
    """Returns the gradients of an unfinished step with `accumulate_grad_batches`."""
    trainer = module.trainer
    if not (trainer.training or trainer.validating) or not internals.accumulates(trainer):
        return {}
    begun = {name: weight.grad for name, weight in module.named_parameters() if weight.grad is not None}
    # The mean over devices: if each continues from it, the mean of the whole sum is the same.
    return {name: trainer.strategy.reduce(gradient.clone(), reduce_op="mean") for name, gradient in begun.items()}


def _due_plateau_step(trainer: Any) -> float | None:
    """Returns the metric of ReduceLROnPlateau if only its step is missing in this epoch.

    Lightning takes that step after the callbacks have saved their checkpoints, and loses the metric on resume.
    """
    progress = trainer.fit_loop.epoch_progress.current
    ends = progress.ready > progress.completed and internals.is_last_batch(trainer)
    for config in trainer.lr_scheduler_configs:
        known = progress.processed > progress.completed or str(config.monitor).startswith("val/")
        if not config.reduce_on_plateau or not ends or not known or trainer.fit_loop.restarting:
            continue
        if config.interval == "epoch" and (trainer.current_epoch + 1) % config.frequency == 0:
            metric = trainer.callback_metrics.get(config.monitor)
            return None if metric is None else float(metric)
    return None

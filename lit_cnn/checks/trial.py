"""Trial steps of a run: losses, gradients, activation memory and time of the first few steps of `fit`."""

import time
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.optim import Optimizer
from tqdm import tqdm

from lit_cnn.errors import ConfigError, LitCNNError, is_out_of_memory
from lit_cnn.own_code import place_in_own_code, said_by
from lit_cnn.training.classifier import Batch, LitClassifier
from lit_cnn.training.contract import losses_of

GRADIENT_STEPS = 5  # a branch with initial weights of zero has gradients only after the first step


class Steps:
    """Takes training steps with the precision, loss, gradient clipping and optimizer of a Trainer in `fit`."""

    def __init__(self, trainer: Trainer, module: LitClassifier):
        self.trainer, self.module = trainer, module
        self.optimizer: Optimizer = trainer.optimizers[0]
        self._state = deepcopy((module.state_dict(), self.optimizer.state_dict()))

    def start_afresh(self) -> None:
        """Restores the initial weights, statistics and optimizer, and sets training mode."""
        network, optimizer = self._state
        self.module.load_state_dict(network)
        self.optimizer.load_state_dict(optimizer)
        self.module.train()

    def take(self, batch: Batch, optimizer: Optimizer | None = None) -> tuple[Tensor, Tensor]:
        """Takes one step, by default with the run's optimizer; returns the logits and loss before it."""
        chosen = optimizer or self.optimizer
        strategy = self.trainer.strategy
        result: list[Tensor] = []

        def closure() -> Tensor:
            with strategy.precision_plugin.train_step_context():
                logits, loss = losses_of(self.module, *strategy.precision_plugin.convert_input(batch))
            result[:] = [logits.detach(), loss.detach()]
            chosen.zero_grad()
            loss = loss * len(logits) if self.module.hparams["sum_loss"] else loss
            strategy.backward(loss, chosen)
            return loss

        strategy.optimizer_step(chosen, closure, model=self.module)
        return result[0], result[1]


@dataclass
class FirstSteps:
    """Measurements of the first training steps."""

    images: int  # in a batch
    finite: bool  # whether all pixels of the first batch are
    first: float = float("nan")  # loss of the untrained network, without auxiliary heads
    expected: float = float("nan")  # the same loss with equal logits
    losses: list[float] = field(default_factory=list)  # training loss of each step, with auxiliary heads
    lacking: dict[str, str] = field(default_factory=dict)  # parameters without a gradient: "none", "zero", "not finite"
    activations: int = 0  # bytes that the forward pass of a batch keeps for the backward pass
    seconds: float = float("nan")  # per step, including the data


def take_first_steps(steps: Steps, seconds: float = 3.0, silent: bool = False) -> FirstSteps:
    """Takes the first steps of the run on its own batches, within a time limit: at least two if the run has them."""
    loader: Any = steps.trainer.train_dataloader
    batches = tqdm(chain(loader, loader), "first steps", leave=False, disable=silent or None)
    module, losses, in_all = steps.module, [], steps.trainer.estimated_stepping_batches
    schedulers = [c.scheduler for c in steps.trainer.lr_scheduler_configs if c.interval == "step"]
    try:
        for step, batch in enumerate(batches):
            if step == 0:
                batch = (batch[0].clone(), batch[1])  # a view would keep the memory of several batches
                found = FirstSteps(len(batch[0]), bool(batch[0].isfinite().all()))
                with (kept := ActivationBytes(module)):
                    logits, loss = steps.take(batch)
                found.activations = kept.total
                found.first = float(module.loss(logits, batch[1]))
                found.expected = float(module.loss(torch.zeros_like(logits), batch[1]))
                found.lacking = {name: "none" for name, p in module.named_parameters() if p.requires_grad}
                start = time.perf_counter()  # after the first step, which is slower
            else:
                loss = steps.take(batch)[1]
            losses.append(loss)
            if step < GRADIENT_STEPS:
                found.lacking = _still_lacking(module, found.lacking)
            if step + 1 < in_all:  # some schedules cannot be stepped past the run's end
                for scheduler in schedulers:
                    scheduler.step()
            if step and (step + 1 >= in_all or time.perf_counter() - start > seconds):
                break
        found.losses = torch.stack(losses).tolist()  # waits for a GPU
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        if isinstance(error, LitCNNError) or is_out_of_memory(error) or place_in_own_code(error):
            raise
        raise ConfigError(
            f"not sound. The first batch fails: {said_by(error, 100)}\n"
            "Look at the network's `forward`, the loss and the batch size; LIT_CNN_DEBUG=1 shows the place."
        ) from error
    found.seconds = (time.perf_counter() - start) / step
    return found


def _still_lacking(net: nn.Module, lacking: dict[str, str]) -> dict[str, str]:
    why = {}
    for name, parameter in net.named_parameters():
        gradient = parameter.grad
        if name in lacking and (gradient is None or not gradient.isfinite().all() or not gradient.any()):
            why[name] = "none" if gradient is None else "not finite" if gradient.any() else "zero"
    return why


class ActivationBytes(saved_tensors_hooks):
    """Counts the bytes that a forward pass keeps for the backward pass, without the parameters, in `total`."""

    def __init__(self, net: nn.Module):
        self.total = 0
        self._seen = {p.untyped_storage().data_ptr() for p in net.parameters()}
        super().__init__(self._note, lambda tensor: tensor)

    def _note(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._seen:
            self._seen.add(storage.data_ptr())
            self.total += storage.nbytes()
        return tensor

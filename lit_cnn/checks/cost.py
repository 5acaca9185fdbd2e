"""Cost of a run: memory and time."""

import math
import time
from dataclasses import dataclass, replace

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Timer
from torch import Tensor
from torch.optim import Optimizer
from torch.utils._pytree import tree_leaves

from lit_cnn.checks.trial import FirstSteps
from lit_cnn.data.module import ImageDataModule
from lit_cnn.training.classifier import LitClassifier


@dataclass(frozen=True)
class Length:
    """Length and speed of a run."""

    epochs: float  # infinite if the run has no limit
    steps: int  # per epoch
    step: float  # seconds per step
    images: int = 0  # number of validation images
    image: float = 0.0  # seconds per validation image
    start_up: float = 0.0  # seconds until the first step

    @property
    def training(self) -> float:
        """Seconds of training per epoch."""
        return self.steps * self.step

    @property
    def total(self) -> float:
        """Seconds of the whole run, without the test at the end; infinite if it has no limit."""
        return self.start_up + self.epochs * (self.training + self.validation)

    @property
    def validation(self) -> float:
        """Seconds of validation per epoch."""
        return self.images * self.image


def memory_of(module: LitClassifier, optimizer: Optimizer, data: ImageDataModule, first: FirstSteps) -> dict[str, int]:
    """Returns the memory in bytes by use; the optimizer has to have taken a step."""
    images = {a.stored_images.data_ptr(): a.stored_images for a in data._arrays.values()}  # train and val share memory
    tensors: dict[str, list[Tensor]] = {
        "parameters": [*module.net.parameters(), *module.net.buffers()],
        "gradients": [p for p in module.net.parameters() if p.requires_grad],
        "optimizer state": [t for t in tree_leaves(list(optimizer.state.values())) if isinstance(t, Tensor)],
        f"activations, {first.images} images": [],
        "dataset": list(images.values()),
    }
    sizes = {use: sum(t.numel() * t.element_size() for t in each) for use, each in tensors.items()}
    return sizes | {f"activations, {first.images} images": first.activations}


def length_of(trainer: Trainer, module: LitClassifier, data: ImageDataModule, step: float) -> Length:
    """Returns the length of a run whose `fit` has begun, from the time of a step and of a few evaluations."""
    steps = int(trainer.num_training_batches)
    epochs = trainer.estimated_stepping_batches * trainer.accumulate_grad_batches / steps
    length = Length(epochs, steps, step)
    loader, share = data.val_dataloader(), trainer.limit_val_batches
    if loader and share:
        images = len(data.arrays("val"))
        if isinstance(share, int):
            share = min(1.0, share * data.eval_batch_size / images)
        seconds = _seconds_per_image(trainer, module, loader)
        length = replace(length, images=int(images * share / (trainer.check_val_every_n_epoch or 1)), image=seconds)
    return replace(length, epochs=min(epochs, time_limit(trainer) / (length.training + length.validation)))


def time_limit(trainer: Trainer) -> float:
    """Returns the seconds that `max_time` leaves for the training; infinite without it."""
    timers = [c for c in trainer.callbacks if isinstance(c, Timer)]  # type: ignore[attr-defined]
    return min((left for timer in timers if (left := timer.time_remaining()) is not None), default=math.inf)


@torch.inference_mode()
def _seconds_per_image(trainer: Trainer, module: LitClassifier, loader: object, seconds: float = 1.0) -> float:
    """Returns the time to evaluate an image, from small batches, since whole ones may take minutes on a CPU."""
    images = next(iter(loader))[0].to(module.device)[:32]  # type: ignore[call-overload]
    module.eval()
    with trainer.strategy.precision_plugin.val_step_context():
        module.evaluate(images).sum().item()  # the first evaluation is slower
        done, start = 0, time.perf_counter()
        while done < 50 and (done == 0 or time.perf_counter() - start < seconds):
            module.evaluate(images).sum().item()
            done += 1
        return (time.perf_counter() - start) / (done * len(images))

"""Begins `fit`, inspects it and ends it before its first step; then restores the state of the process."""

import gc
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import LambdaCallback
from lightning.pytorch.utilities.seed import isolate_rng

# Settings of the Trainer in place of the config's.
ALONE: dict[str, Any] = {
    **{"devices": 1, "num_nodes": 1, "strategy": "auto", "fast_dev_run": False, "min_epochs": None, "min_steps": None},
    **{"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "num_sanity_val_steps": 0},
}


@contextmanager
def state_kept() -> Iterator[None]:
    """Restores random generators, environment, threads and the precision and algorithms of products afterwards."""
    precision, threads = torch.get_float32_matmul_precision(), torch.get_num_threads()
    cudnn, environment = torch.backends.cudnn, dict(os.environ)
    tf32, benchmark = cudnn.allow_tf32, cudnn.benchmark
    with isolate_rng():
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(environment)
            torch.set_float32_matmul_precision(precision)
            torch.set_num_threads(threads)
            cudnn.allow_tf32, cudnn.benchmark = tf32, benchmark


def begin_fit(
    module: LightningModule,
    data: LightningDataModule,
    settings: Mapping[str, Any],
    look: Callable[[Trainer, LightningModule], None],
) -> None:
    """Begins `fit` on one device without anything that writes, and calls `look` in place of the first step."""

    def begin(trainer: Trainer, module: LightningModule) -> None:
        trainer.should_stop = True
        look(trainer, module)

    callbacks = [LambdaCallback(on_train_start=begin)]
    try:
        Trainer(**{**settings, **ALONE, "profiler": None, "callbacks": callbacks}).fit(module, datamodule=data)
    finally:
        if torch.cuda.is_available():  # networks and images of an earlier `begin_fit`
            free_memory()


def free_memory() -> None:
    """Frees objects in reference cycles, such as Trainers, also on a GPU."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()

"""Number of cells that run at the same time, and of threads for each."""

from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from lit_cnn.cores import cores
from lit_cnn.experiments.cells import Cell

NEED = 1.5e9  # bytes of memory for a cell: Python, torch, a small dataset and its activations


@dataclass(frozen=True)
class Shares:
    """How cells share the machine."""

    jobs: int  # cells at the same time
    threads: int | None  # of each cell; None for torch's choice
    gpus: int  # that go round among the jobs


def shares(cells: Sequence[Cell], jobs: int | None) -> Shares:
    """Returns how the cells of an experiment share this machine.

    A second thread never makes a training twice as fast. So on CPUs as many cells as cores run at the same time, with
    one thread each. If there are fewer cells than cores, each gets more threads. The number of threads changes the last
    digits of a result, so it does not depend on the number of jobs. Each GPU runs one cell.

    Args:
        cells: All cells of the experiment, finished or not.
        jobs: Number of cells at the same time; None for the fastest, if there is enough memory.
    """
    import torch

    on_cpu = all(cell.config["trainer"]["accelerator"] == "cpu" for cell in cells)
    gpus = 0 if on_cpu else torch.cuda.device_count()  # counted by NVML, since a process with CUDA cannot fork
    if gpus:
        return Shares(jobs or gpus, None, gpus)
    threads = max(1, cores() // len(cells))
    given = max((cell.config.get("threads") or threads for cell in cells), default=threads)
    fitting = int(psutil.virtual_memory().available // NEED)
    return Shares(jobs or max(1, min(cores() // given, fitting)), threads, 0)

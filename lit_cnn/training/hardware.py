"""Hardware settings: memory allocator, threads, matmul precision, and error messages about devices."""

import ctypes
import os
import re
from typing import Literal

import torch
from lightning.pytorch.accelerators import Accelerator, CUDAAccelerator, MPSAccelerator
from lightning.pytorch.strategies import Strategy

from lit_cnn import cores
from lit_cnn.errors import counted

Matmul = Literal["highest", "high", "medium"]
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc's malloc.h
THREADS = "OMP_NUM_THREADS"


def keep_memory() -> bool:
    """Makes glibc keep freed memory for the next step; returns whether it worked.

    Otherwise the memory of the activations goes back to the system after each batch, and is cleared again page by page.
    """
    try:
        libc = ctypes.CDLL(None)
    except TypeError:  # on Windows
        return False
    if not hasattr(libc, "gnu_get_libc_version"):
        return False
    return bool(libc.mallopt(M_MMAP_MAX, 0) and libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1))


def leave_busy_cores() -> str:
    """Sets fewer threads than torch's own choice where other programs use the cores, and returns a sentence about it.

    A thread that shares its core with another program delays all other threads at each operation. Only the command line
    measures what other programs use. OMP_NUM_THREADS and `--threads` override this.
    """
    own, taken = torch.get_num_threads(), cores.taken()
    free = max(1, round(cores.cores() - taken))
    if THREADS in os.environ or free >= own:
        return ""
    torch.set_num_threads(free)
    return (
        f"threads: {free}, not {own}, since other programs use {taken:.1f} of the {cores.cores()} cores.\n"
        f"The last digits of results depend on the threads; --threads {own} takes all."
    )


def set_threads(threads: int | None, processes: int = 1) -> int:
    """Sets the threads of torch's operations on CPUs, and returns their number.

    Args:
        threads: Threads of each process; None for torch's own choice, which several processes on a machine share.
        processes: Number of processes of the run on this machine.
    """
    if threads is None:
        own = torch.get_num_threads()
        threads = own if processes == 1 or THREADS in os.environ else max(1, own // processes)
    if processes > 1:
        os.environ[THREADS] = str(threads)  # for the other processes; Lightning keeps a number that is set
    torch.set_num_threads(threads)
    return torch.get_num_threads()


def processes_of(strategy: Strategy) -> int:
    """Returns the number of processes that a strategy starts on this machine, with this one."""
    return getattr(strategy, "num_processes", 1) if strategy.launcher else 1


def default_device() -> torch.device:
    """Returns the device that Lightning takes by default."""
    kinds: dict[str, type[Accelerator]] = {"mps": MPSAccelerator, "cuda": CUDAAccelerator}
    return torch.device(next((name for name, kind in kinds.items() if kind.is_available()), "cpu"))


def forget_nvml() -> None:
    """Removes a setting of Lightning's that makes each step look for a GPU library on machines without GPU."""
    if not torch.cuda.is_available():
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)


def set_matmul_precision(precision: Matmul) -> None:
    """Sets the float32 precision of matrix products and convolutions on GPUs."""
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.allow_tf32 = precision != "highest"


def explain_devices(message: str) -> str:
    """Adds this machine's devices and a remedy to a message of Lightning's about devices; others stay as they are."""
    if "`fsdp` requires a GPU" in message:
        return "The strategy fsdp splits a network over GPUs, but this machine has none. Use --trainer.strategy ddp."
    if not re.search(
        r"supported gpu backend|your machine only has|accelerator is not available|devices with CPUAccelerator", message
    ):
        return message
    gpus = torch.cuda.device_count()
    found = f"{counted(gpus, 'GPU')} that torch can use"
    usable = f" or --trainer.devices {gpus}" if gpus > 1 else ""
    return f"{message}\nThis machine has {found}. Use --trainer.accelerator auto --trainer.devices auto{usable}."

"""Warnings about settings that are slow on this machine: emulated bfloat16, more threads than cores."""

import copy
import time

import torch
from jaxtyping import Float
from lightning.pytorch import Trainer
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn

from lit_cnn.cores import cores
from lit_cnn.data.module import ImageDataModule

# Names of the instructions in torch.cpu.get_capabilities(): of x86 CPUs, and of ARM's.
INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
IMAGES = 4  # a whole batch would take minutes
SECONDS = 1.0


def warnings_of(busy: str, trainer: Trainer, net: nn.Module, data: ImageDataModule, threads: int | None) -> list[str]:
    """Returns the warnings to print before a run; `busy` is the one about cores in use by other programs, or empty."""
    device, shape = trainer.strategy.root_device, (data.in_channels, *data.image_size)
    bfloat16 = of_bfloat16(net, shape, device, str(trainer.precision))
    return [sentence for sentence in (busy, bfloat16, of_threads(threads, device.type)) if sentence]


def of_threads(threads: int | None, device: str = "cpu") -> str:
    """Returns a warning if a run has more threads than there are cores; empty otherwise."""
    if device != "cpu" or threads is None or threads <= cores():
        return ""
    return (
        f"threads: {threads} are more than the {cores()} cores of this machine: slow, but it repeats the results.\n"
        f"--threads {cores()} is faster, but changes the last digits of the results."
    )


def is_emulated(device: torch.device) -> bool:
    """Whether a device is known to have no bfloat16, and to emulate it."""
    if device.type == "cuda":
        return not torch.cuda.is_bf16_supported(including_emulation=False)
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return device.type == "cpu" and bool(known) and not any(known.get(name) for name in INSTRUCTIONS)


def of_bfloat16(net: nn.Module, shape: tuple[int, ...], device: torch.device, precision: str) -> str:
    """Returns a warning if a run uses bfloat16 on a device that emulates it; empty otherwise.

    Args:
        net: The network, which is not changed.
        shape: Channels, height and width of the images.
        device: Where it is trained.
        precision: The Trainer's precision.
    """
    if not precision.startswith("bf16") or not is_emulated(device):
        return ""
    try:
        factor = _slowdown(net, torch.zeros(IMAGES, *shape), device)
    except Exception:  # a network that is not ready before `fit`
        slower = "slower"
    else:
        if factor < 1.05:
            return ""
        slower = f"{factor:.2g} times slower"
    return (
        f"trainer.precision: {precision} is emulated, since this {device.type.upper()} has no bfloat16. "
        f"Steps of {IMAGES} images are {slower}\n"
        "than in float32. Remove it, or use --config overlays/fast, which measures what is fastest."
    )


def _slowdown(net: nn.Module, images: Float[Tensor, "b c h w"], device: torch.device) -> float:
    with isolate_rng():
        net, images = copy.deepcopy(net).to(device).train(), images.to(device)
        float32, bfloat16 = (_fastest_step(net, images, enabled) for enabled in (False, True))
    return bfloat16 / float32


def _fastest_step(net: nn.Module, images: Float[Tensor, "b c h w"], bfloat16: bool) -> float:
    """Returns the seconds of the fastest forward and backward pass within a time limit."""
    taken, stop = list[float](), time.perf_counter() + SECONDS
    while len(taken) < 2 or (len(taken) < 20 and time.perf_counter() < stop):
        start = time.perf_counter()
        with torch.autocast(images.device.type, torch.bfloat16, enabled=bfloat16):
            loss = net(images).float().square().mean()
        loss.backward()
        loss.item()  # waits for a GPU
        taken.append(time.perf_counter() - start)
    return min(taken)

"""Devices without float64, such as Apple's GPUs: computations in float64 are done on the CPU."""

import torch
from torch import Tensor

WITH_FLOAT64 = ("cpu", "cuda", "meta")


def has_float64(device: torch.device) -> bool:
    """Whether a device has float64."""
    return device.type in WITH_FLOAT64


def in_float64(values: Tensor) -> Tensor:
    """Returns values in float64, on their device if that has it, else on the CPU."""
    return (values if has_float64(values.device) else values.cpu()).double()

"""`fit` on a GPU with everything on and resident data, against a bare loop on images in GPU memory.

ResNet-18 on images of CIFAR-10's size, in float32 with TF32 and in bfloat16, in batches of 512. An epoch of `fit` is
followed by one of the bare loop, in the same process, with the same network and optimizer. The bare loop crops, flips
and normalises nothing; `fit` does, makes metrics, and writes logs and checkpoints.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch.nn import functional as F

from lit_cnn import LitResNet
from lit_cnn.transforms import AlternatingFlip, RandomCrop
from scripts.benchmarks.fit import Alternate, train
from scripts.benchmarks.noise import Noise
from scripts.benchmarks.timing import seconds, spread

BATCH = 512
SGD: dict[str, Any] = {"lr": 0.1, "optimizer": "SGD", "optimizer_args": {"momentum": 0.9}}


class BareGPULoop:
    """Plain PyTorch on normalised images in the GPU's memory, channels last.

    Args:
        module: Whose network to train; a network of the same kind is made anew.
        data: Whose images to train on.
        bf16: Whether to compute in bfloat16.
    """

    def __init__(self, module: LitResNet, data: Noise, bf16: bool):
        assert data.preprocess is not None
        arrays = data.arrays("train")
        self.images = data.preprocess(arrays.images).cuda().to(memory_format=torch.channels_last)
        self.labels = arrays.labels.cuda()
        self.net = module.net.cuda().to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1, momentum=0.9, fused=True)
        self.precision = partial(torch.autocast, "cuda", torch.bfloat16) if bf16 else nullcontext

    def train(self) -> float:
        """Takes one epoch and returns the accuracy on the training images."""
        self.net.train()
        right = torch.zeros((), dtype=torch.int64, device="cuda")
        for indices in torch.randperm(len(self.labels), device="cuda").split(BATCH):
            images, labels = self.images[indices], self.labels[indices]
            with self.precision():
                logits = self.net(images)
            self.optimizer.zero_grad()
            F.cross_entropy(logits.float(), labels).backward()
            self.optimizer.step()
            right += (logits.argmax(dim=1) == labels).sum()
        return int(right) / len(self.labels)


def measure(repetitions: int = 5, only: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the ratio of images per second for each precision.

    Raises:
        SystemExit: If there is no NVIDIA GPU.
    """
    if not torch.cuda.is_available():
        raise SystemExit("This benchmark needs an NVIDIA GPU, and there is none.")
    print(torch.cuda.get_device_name(), flush=True)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    augment = [RandomCrop(), AlternatingFlip()]
    for precision in ("bf16-mixed", "32-true"):
        if not precision.startswith(only):
            continue
        data = Noise("cifar10", batch_size=BATCH, augment=augment, resident=True)
        data.setup("fit")
        bare = BareGPULoop(LitResNet(**SGD), data, bf16=precision == "bf16-mixed")
        clock = Alternate(partial(seconds, bare.train))
        train(LitResNet(**SGD), data, clock, repetitions, precision)
        n = data.n["train"] / 1000
        rates = {"fit_k_images_per_s": round(n / min(clock.ours)), "bare_k_images_per_s": round(n / min(clock.others))}
        yield f"ResNet-18, {precision}, over a bare loop", spread(clock.ratios()) | rates

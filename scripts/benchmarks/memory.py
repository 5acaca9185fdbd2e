"""Peak memory of a training, in addition to its data and its network.

    python scripts/benchmarks/memory.py [--images 50000]

A process of its own trains a small CNN for two epochs on images of CIFAR's shape, validation and test included.
Its resident memory is taken before the data is there, after one training on a few images, so that all imports,
the network, and what Lightning keeps are in it. (Linux only: it resets the peak through /proc/self/clear_refs.)
"""

import argparse
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def measure(repetitions: int = 1, images: int = 50_000) -> dict[str, Any]:
    """Returns megabytes of the process and of the data, and the peak as a multiple of what has to be there.

    Args:
        repetitions: How often it is measured; the largest ratio counts.
        images: Training images, of 32 x 32 pixels in colour; there is one test image for five of them.
    """
    command = [sys.executable, __file__, "--images", str(images), "--inside"]
    measured = []
    for _ in range(repetitions):
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
        )
        measured.append(json.loads(done.stdout.splitlines()[-1]))
    base, peak, data = max(measured, key=lambda m: m[1] / (m[0] + m[2]))
    return {
        "base_mb": round(base / 1e6),
        "data_mb": round(data / 1e6),
        "peak_mb": round(peak / 1e6),
        "ratio": round(peak / (base + data), 3),
        "ratio_of_the_growth_to_the_data": round((peak - base) / data, 3),
    }


def _inside(images: int) -> None:
    import torch
    from lightning.pytorch import Trainer

    from lit_cnn import LitCNN, RandomCrop, RandomFlip
    from lit_cnn.data.arrays import Arrays
    from lit_cnn.data.module import ImageDataModule

    class Noise(ImageDataModule):
        num_classes, in_channels, image_size = 10, 3, (32, 32)
        class_names = [str(c) for c in range(10)]
        mean, std = [0.5] * 3, [0.29] * 3

        def __init__(self, n: int):
            super().__init__(augment=[RandomCrop(4), RandomFlip()])
            self.n = {"train": n, "test": n // 5}

        def read(self, split: str) -> Arrays:
            pixels = torch.randint(0, 256, (self.n[split], 32, 32, 3), dtype=torch.uint8)
            return Arrays(pixels.permute(0, 3, 1, 2), torch.arange(self.n[split]) % 10)

    def train(n: int) -> None:
        data = Noise(n)
        trainer = Trainer(
            max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(LitCNN(in_channels=3, num_classes=10, image_size=(32, 32)), data)
        trainer.test(datamodule=data, model=trainer.lightning_module, verbose=False)

    warnings.simplefilter("ignore")
    train(1000)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew at what is resident now
    base = _memory("VmRSS")
    train(images)
    print(json.dumps([base, _memory("VmHWM"), images * 6 // 5 * (32 * 32 * 3 + 8)]))


def _memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--inside", action="store_true", help="train in this process")
    arguments = parser.parse_args()
    if arguments.inside:
        _inside(arguments.images)
    else:
        print(measure(images=arguments.images))

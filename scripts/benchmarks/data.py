"""Images per second: lit_cnn's batches against torchvision's dataset and transforms in a DataLoader."""

from collections.abc import Iterator
from typing import Any

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms as v1

from lit_cnn import RandomCrop, RandomFlip
from lit_cnn.transforms import Augmentation
from scripts.benchmarks.noise import Noise
from scripts.benchmarks.timing import seconds, spread

BATCH = 128
PASSES = 4  # of ours over all images, and one of theirs over a part: about a second each
THEIR_IMAGES = 10_000
THEIR_AUGMENTATIONS = {"mnist": [], "cifar10": [v1.RandomCrop(32, 4), v1.RandomHorizontalFlip()]}
OUR_AUGMENTATIONS: dict[str, list[Augmentation]] = {"mnist": [], "cifar10": [RandomCrop(4), RandomFlip()]}


class PerImage(Dataset):
    """The usual dataset: one PIL image at a time, through torchvision's transforms, as its MNIST and CIFAR10 do."""

    def __init__(self, data: Noise, augmentations: list[Any], n: int):
        pixels = data.arrays("train").images[:n].permute(0, 2, 3, 1)
        self.pixels = pixels.squeeze(3).numpy()
        normalise = v1.Normalize(data.mean, data.std)
        self.transform = v1.Compose([*augmentations, v1.ToTensor(), normalise])

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.pixels[index])), index % 10


def per_image_loader(data: Noise, name: str, workers: int, n: int, batch_size: int = BATCH) -> DataLoader:
    """Returns torchvision's path to the batches of the first n images."""
    dataset = PerImage(data, THEIR_AUGMENTATIONS[name], n)
    return DataLoader(dataset, batch_size, shuffle=True, num_workers=workers, persistent_workers=workers > 0)


def measure(repetitions: int = 5, only: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields for each dataset the ratio of the images per second, over the better number of workers."""
    for name in filter(lambda name: name.startswith(only), ("mnist", "cifar10")):
        data = Noise(name, batch_size=BATCH, augment=OUR_AUGMENTATIONS[name])
        data.setup("fit")
        theirs = {workers: per_image_loader(data, name, workers, THEIR_IMAGES) for workers in (0, 2)}
        loader = data.train_dataloader()
        loader.contiguous = False  # as `fit` takes them
        for each in (loader, *theirs.values()):  # once for nothing: workers start, memory is laid out
            run_through(each)
        rates: dict[str, list[float]] = {"lit_cnn": [], **{f"DataLoader, {w} workers": [] for w in theirs}}
        for repetition in range(repetitions):
            loader.sampler.set_epoch(repetition)
            rates["lit_cnn"].append(PASSES * data.n["train"] / seconds(run_through, loader, PASSES))
            for workers, each in theirs.items():
                took = seconds(run_through, each)
                rates[f"DataLoader, {workers} workers"].append(THEIR_IMAGES / took)
        better = max(rates["DataLoader, 0 workers"], rates["DataLoader, 2 workers"], key=sum)
        ratios = [ours / usual for ours, usual in zip(rates["lit_cnn"], better, strict=True)]
        yield (
            name,
            spread(ratios, 1)
            | {f"images/s, {what}": round(sorted(each)[len(each) // 2]) for what, each in rates.items()},
        )


def run_through(loader: Any, passes: int = 1) -> None:
    """Takes every batch of some epochs."""
    for _ in range(passes):
        for _ in loader:
            pass

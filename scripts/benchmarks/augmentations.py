"""Times each augmentation on groups of 512, as the loader prepares them, against its per-image form.

The per-image form is torchvision's transform, of either version, on single PIL images or tensors, whichever of
them is fastest; where torchvision has none (Cutout, PCANoise, and Mixup and CutMix with draws for each image), a
plain function of one tensor. Both are timed in turn, on images of MNIST's and CIFAR-10's size.

python -m scripts.benchmarks.augmentations
"""

from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision import transforms as v1
from torchvision.transforms import v2
from torchvision.transforms.functional import to_pil_image

from lit_cnn import transforms as ours
from lit_cnn.keyed_random import Draws
from scripts.benchmarks.timing import spread

BATCH = 512  # images that the loader prepares at once, of CIFAR-10's size
SIZES = {"MNIST": (1, 28, 28), "CIFAR-10": (3, 32, 32)}
BILINEAR = v1.InterpolationMode.BILINEAR
ERASED = {"p": 0.5, "scale": (0.02, 0.33), "ratio": (0.3, 3.3)}

# Our augmentation beside torchvision's transform, as a function of the version's module.
TORCHVISION: dict[str, tuple[ours.Augmentation, Callable[[Any], Any]]] = {
    "RandomRotation": (ours.RandomRotation(15), lambda v: v.RandomRotation(15, interpolation=BILINEAR)),
    "RandomAffine": (
        ours.RandomAffine(15, (0.1, 0.1), (0.9, 1.1), 5),
        lambda v: v.RandomAffine(15, (0.1, 0.1), (0.9, 1.1), 5, interpolation=BILINEAR),
    ),
    "RandomErasing": (ours.RandomErasing(), lambda v: v.RandomErasing(**ERASED, value="random")),
    "RandomErasing, black": (ours.RandomErasing(fill="black"), lambda v: v.RandomErasing(**ERASED)),
    "ColorJitter": (ours.ColorJitter(0.4, 0.4, 0.4, 0.1), lambda v: v.ColorJitter(0.4, 0.4, 0.4, 0.1)),
    "ColorJitter, no hue": (ours.ColorJitter(0.4, 0.4, 0.4), lambda v: v.ColorJitter(0.4, 0.4, 0.4)),
    "ColorJitter, brightness": (ours.ColorJitter(0.4), lambda v: v.ColorJitter(0.4)),
    "RandomGrayscale": (ours.RandomGrayscale(), lambda v: v.RandomGrayscale()),
    "RandAugment": (ours.RandAugment(), lambda v: v.RandAugment()),
    "TrivialAugment": (ours.TrivialAugment(), lambda v: v.TrivialAugmentWide()),
}
AT_MNIST = ("RandomRotation", "RandomAffine")


def cutout(image: Tensor, size: int = 8) -> Tensor:
    """Cuts a square out of one image."""
    h, w = image.shape[-2:]
    y, x = np.random.randint(h), np.random.randint(w)
    image = image.clone()
    image[:, max(0, y - size // 2) : y + size // 2, max(0, x - size // 2) : x + size // 2] = 0
    return image


def pca_noise(image: Tensor, components: Tensor, eigenvalues: Tensor) -> Tensor:
    """Adds one colour to one image."""
    colour = components @ (torch.randn(3) * 0.1 * eigenvalues)
    return (image + colour.mul(255)[:, None, None]).clamp(0, 255).to(torch.uint8)


def mixup(image: Tensor, partner: Tensor) -> tuple[Tensor, float]:
    """Mixes one image with another, and says how much of it is left, for its label."""
    share = np.random.beta(1.0, 1.0)
    return image * share + partner * (1 - share), share


def cutmix(image: Tensor, partner: Tensor) -> tuple[Tensor, float]:
    """Puts a box of another image into one, and says how much of it is left, for its label."""
    h, w = image.shape[-2:]
    side = np.sqrt(1 - np.random.beta(1.0, 1.0))
    y, x, height, width = np.random.randint(h), np.random.randint(w), int(side * h), int(side * w)
    box = (slice(max(0, y - height // 2), y + height // 2), slice(max(0, x - width // 2), x + width // 2))
    image = image.clone()
    image[:, box[0], box[1]] = partner[:, box[0], box[1]]
    covered = (min(h, box[0].stop) - box[0].start) * (min(w, box[1].stop) - box[1].start)
    return image, 1 - covered / (h * w)


def test_images(size: tuple[int, int, int]) -> Tensor:
    """Returns a batch of smooth images in channels_last memory."""
    c, h, w = size
    coarse = torch.randint(0, 256, (BATCH, c, 4, 4), generator=torch.Generator().manual_seed(0)).float()
    smooth = torch.nn.functional.interpolate(coarse, (h, w), mode="bicubic").round().clamp(0, 255).byte()
    return smooth.contiguous(memory_format=torch.channels_last)


def draws_of_next_epoch() -> Callable[[], Draws]:
    """Returns a function whose draws are new with each call, as in training."""
    epoch = 0

    def fresh() -> Draws:
        nonlocal epoch
        epoch += 1
        return Draws(0, epoch, torch.arange(BATCH), "benchmark")

    return fresh


def seconds(work: Callable[[], object], times: int) -> float:
    """Returns the seconds that one piece of work takes."""
    start = perf_counter()
    for _ in range(times):
        work()
    return (perf_counter() - start) / times


def fastest(forms: list[Callable[[], object]]) -> Callable[[], object]:
    """Returns the fastest of several forms, leaving out those that do not take their input."""
    timed = []
    for i, form in enumerate(forms):
        try:
            form()
        except (TypeError, AttributeError):  # torchvision's RandomErasing takes no PIL image
            continue
        timed.append((min(seconds(form, 1) for _ in range(3)), i))
    return forms[min(timed)[1]]


def map_over(transform: Callable[[Any], object], images: list) -> Callable[[], object]:
    """Returns the work of a Dataset that transforms one image after the other."""
    return lambda: [transform(image) for image in images]


def comparisons() -> dict[str, tuple[Callable[[], object], list[Callable[[], object]]]]:
    """Returns the work on one batch by name: ours, and the forms of theirs."""
    fresh = draws_of_next_epoch()
    pairs: dict[str, tuple[Callable[[], object], list[Callable[[], object]]]] = {}
    for dataset, size in SIZES.items():
        images = test_images(size)
        singles = [image.contiguous() for image in images]
        pictures = [to_pil_image(image) for image in images]
        for name, (augmentation, theirs) in TORCHVISION.items():
            if dataset == "CIFAR-10" or name in AT_MNIST:
                augmentation.learn(images)
                forms = [map_over(theirs(v), inputs) for v in (v1, v2) for inputs in (pictures, singles)]
                work = partial(lambda a, batch: a(batch, fresh()), augmentation, images)
                pairs[f"{name}, {dataset}"] = (work, forms)
    noise, square = ours.PCANoise(), ours.Cutout()
    noise.learn(images)
    square.learn(images)
    assert noise.covariance is not None
    eigenvalues, components = torch.linalg.eigh(noise.covariance)
    inputs, partners = images / 255, images.flip(0) / 255
    of_one = [(image.contiguous(), partner.contiguous()) for image, partner in zip(inputs, partners, strict=True)]
    noisy = [map_over(lambda image: pca_noise(image, components, eigenvalues), singles)]
    pairs["Cutout, CIFAR-10"] = (lambda: square(images, fresh()), [map_over(cutout, singles)])
    pairs["PCANoise, CIFAR-10"] = (lambda: noise(images, fresh()), noisy)
    mix, cut = ours.Mixup(), ours.CutMix()
    pairs["Mixup, CIFAR-10"] = (lambda: mix(inputs, partners, fresh()), [map_over(lambda pair: mixup(*pair), of_one)])
    pairs["CutMix, CIFAR-10"] = (lambda: cut(inputs, partners, fresh()), [map_over(lambda pair: cutmix(*pair), of_one)])
    return pairs


def measure(repetitions: int = 5, only: str = "") -> Iterator[tuple[str, dict[str, float]]]:
    """Yields for each augmentation the ratio of our speed to the per-image form's, and images per second.

    Args:
        repetitions: How often both are timed in turn; `ratio` is the median of the ratios.
        only: What the names of those to measure begin with.
    """
    for name, (work, forms) in comparisons().items():
        if not name.startswith(only):
            continue
        theirs = fastest(forms)
        work()
        times = max(1, round(seconds(theirs, 1) / seconds(work, 1)))  # for about as long as theirs
        both = [(seconds(work, times), seconds(theirs, 1)) for _ in range(repetitions)]
        ratios = [their_time / our_time for our_time, their_time in both]
        yield (
            name,
            {
                **spread(ratios, 1),
                "ours_per_s": round(BATCH / median(our_time for our_time, _ in both)),
                "theirs_per_s": round(BATCH / median(their_time for _, their_time in both)),
            },
        )


def main() -> None:
    """Prints the table."""
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, batches of {BATCH}")
    for name, row in sorted(measure(), key=lambda item: item[1]["ratio"]):
        ends = f"({row['min']:.1f} to {row['max']:.1f})"
        speeds = f"{row['ours_per_s']:10,.0f}/s against {row['theirs_per_s']:7,.0f}/s"
        print(f"{name:32} {row['ratio']:6.1f} {ends:18} {speeds}")


if __name__ == "__main__":
    main()

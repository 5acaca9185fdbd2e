"""Synthetic images: a smooth pattern per class, shifted, with noise; the same on every machine."""

import torch
from torch.nn import functional as F

from lit_cnn.data.arrays import Arrays
from lit_cnn.keyed_random import key_of, random_bits
from lit_cnn.transforms.placement import Place, put


def make_images(
    n: int,
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    noise: float,
    seed: int,
    split: str,
) -> Arrays:
    """Returns synthetic images: each class is a smooth pattern, shifted at random, with noise.

    The shifts favour a convolution; a permutation of the pixels removes this advantage.

    Args:
        n: Number of images; the classes alternate.
        num_classes: Number of classes.
        in_channels: Channels of the images.
        image_size: Height and width, in pixels.
        noise: Standard deviation of the noise, relative to the pattern's.
        seed: Seed of patterns, shifts and noise.
        split: Name of the split; it changes shifts and noise, not the patterns.
    """
    height, width = image_size
    down, right = height // 8, width // 8  # the largest shifts; the patterns continue beyond the border
    size = (height + 2 * down, width + 2 * right)
    coarse = _normal((num_classes, in_channels, max(size[0] // 4, 1), max(size[1] // 4, 1)), seed, "patterns")
    patterns = F.interpolate(coarse, size=size, mode="bilinear")
    patterns = (patterns - patterns.mean()) / patterns.std()
    labels = torch.arange(n) % num_classes
    images = torch.empty(n, in_channels, height, width, dtype=torch.uint8)
    for start in range(0, n, 4096):  # in parts, since the noise takes four times the images' memory
        part = slice(start, start + 4096)
        b = len(labels[part])
        shift = (
            _integers(b, down, seed, f"{split} {start} down"),
            _integers(b, right, seed, f"{split} {start} right"),
        )
        moved = put(patterns[labels[part]], Place(shift=shift))[:, :, down : down + height, right : right + width]
        noisy = moved + noise * _normal((b, in_channels, height, width), seed, f"{split} {start}")
        images[part] = (noisy * 40 + 128).round().clamp(0, 255).byte()
    return Arrays(images, labels)


def _uniform(n: int, seed: int, what: str) -> torch.Tensor:
    bits = random_bits(key_of(seed, "synthetic", what), torch.arange(n))
    return ((bits >> 11) & (2**53 - 1)).double() * 2.0**-53


def _normal(shape: tuple[int, ...], seed: int, what: str) -> torch.Tensor:
    uniform = _uniform(torch.Size(shape).numel(), seed, what).clamp(min=1e-12)
    return torch.special.ndtri(uniform).float().reshape(shape)


def _integers(n: int, largest: int, seed: int, what: str) -> torch.Tensor:
    return (_uniform(n, seed, what) * (2 * largest + 1)).long() - largest

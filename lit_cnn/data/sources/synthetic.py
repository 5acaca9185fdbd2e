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
    """Returns n images; the classes alternate, and the split changes shifts and noise, not the patterns.

    The shifts favour a convolution; a permutation of the pixels removes this advantage.
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
        by_down, by_right = (
            (_uniform(b, seed, f"{split} {start} {name}") * (2 * most + 1)).long() - most
            for name, most in (("down", down), ("right", right))
        )
        moved = put(patterns[labels[part]], Place(shift=(by_down, by_right)))[
            :, :, down : down + height, right : right + width
        ]
        noisy = moved + noise * _normal((b, in_channels, height, width), seed, f"{split} {start}")
        images[part] = (noisy * 40 + 128).round().clamp(0, 255).byte()
    return Arrays(images, labels)


def _uniform(n: int, seed: int, what: str) -> torch.Tensor:
    bits = random_bits(key_of(seed, "synthetic", what), torch.arange(n))
    return ((bits >> 11) & (2**53 - 1)).double() * 2.0**-53


def _normal(shape: tuple[int, ...], seed: int, what: str) -> torch.Tensor:
    uniform = _uniform(torch.Size(shape).numel(), seed, what).clamp(min=1e-12)
    return torch.special.ndtri(uniform).float().reshape(shape)

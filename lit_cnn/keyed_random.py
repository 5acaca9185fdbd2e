"""Random generator by key: each draw is a function of its purpose, such as (seed, epoch, index), without any state.

The generator is SplitMix64 (Steele, Lea & Flood 2014, https://doi.org/10.1145/2660193.2660195) read at a
counter: draw i of a key is a hash of (key, i). It is the same on every device and in every version of torch.
"""

import math
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from lit_cnn.devices import in_float64


def _signed(x: int) -> int:
    return x - 2**64 if x >= 2**63 else x


_GAMMA = 0x9E3779B97F4A7C15
_MIX1 = 0xBF58476D1CE4E5B9
_MIX2 = 0x94D049BB133111EB


def key_of(*parts: int | str) -> int:
    """Hashes parts such as `(seed, "order", epoch)` to a 64-bit key."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest(), "little", signed=True)


def _shift_right(x: Tensor, bits: int) -> Tensor:
    return (x >> bits) & ((1 << (64 - bits)) - 1)  # torch has no unsigned 64-bit shift


def random_bits(key: int | Int64[Tensor, "k 1"], counters: Int64[Tensor, "*n"]) -> Int64[Tensor, "*n"]:
    """Returns 64 random bits for each counter, and for each key if there are several."""
    if counters.device.type != "cpu":
        x = counters * _signed(_GAMMA) + key
        x = (x ^ _shift_right(x, 30)) * _signed(_MIX1)
        x = (x ^ _shift_right(x, 27)) * _signed(_MIX2)
        return x ^ _shift_right(x, 31)
    # NumPy has unsigned shifts, and takes a fifth of torch's time for a batch.
    keys = np.uint64(key & (2**64 - 1)) if isinstance(key, int) else key.numpy().view(np.uint64)
    bits = counters.numpy().view(np.uint64) * np.uint64(_GAMMA) + keys
    for places, factor in ((30, _MIX1), (27, _MIX2)):
        bits ^= bits >> np.uint64(places)
        bits *= np.uint64(factor)
    bits ^= bits >> np.uint64(31)
    return torch.from_numpy(bits.view(np.int64))


def permutation(n: int, *parts: int | str) -> Int64[Tensor, "n"]:
    """Returns a random permutation of 0 to n - 1, a function of the key's parts only."""
    key = key_of(*parts)
    bits = torch.empty(n, dtype=torch.int64)
    for part in torch.arange(n).split(2**15):  # fits the processor's cache: 0.57 of the time at n = 5 million
        bits[part[0] : part[-1] + 1] = random_bits(key, part)
    return bits.argsort(stable=True)


def seed_generators(device: torch.device, *parts: int | str) -> None:
    """Seeds torch's own generators by a key, for random draws of networks such as dropout."""
    key = key_of(*parts)
    torch.default_generator.manual_seed(key)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(key)
    elif device.type in ("mps", "xpu"):
        getattr(torch, device.type).manual_seed(key)


@dataclass(frozen=True)
class Draws:
    """The random draws of one batch, one for each image and purpose."""

    seed: int
    epoch: int
    indices: Int64[Tensor, "b"]  # of the images in the dataset, so that draws do not depend on the batch
    purpose: str = ""  # draws for different purposes are independent

    def uniform(self, what: str) -> Float[Tensor, "b"]:
        """Draws a number from [0, 1) for each image."""
        return self.uniforms(what)[0]

    def uniforms(self, *whats: str) -> tuple[Float[Tensor, "b"], ...]:
        """Draws `uniform` for each of several purposes, in the time of one."""
        keys = torch.tensor([[self.key(what)] for what in whats], device=self.indices.device)
        return _shift_right(random_bits(keys, self.indices), 40).float().mul_(2.0**-24).unbind()

    def key(self, what: str) -> int:
        """Returns the key of a purpose, for other generators."""
        return key_of(self.seed, self.purpose, what, self.epoch)

    def integers(self, what: str, low: int, high: int) -> Int64[Tensor, "b"]:
        """Draws an integer from `low` to `high`, both included, for each image."""
        return low + (self.uniform(what) * (high - low + 1)).long()

    def integer_pair(self, what: str, first: int, second: int) -> tuple[Int64[Tensor, "b"], Int64[Tensor, "b"]]:
        """Draws two integers for each image, from `-first` to `first` and from `-second` to `second`."""
        bits = random_bits(self.key(what), self.indices)  # 64 bits are enough for both
        down, right = bits >> 32, bits
        for half, largest in ((down, first), (right, second)):  # in place, since a batch's draws are many short calls
            half &= 2**32 - 1
            half *= 2 * largest + 1
            half >>= 32
            half -= largest
        return down, right

    def bytes(self, what: str, size: int) -> UInt8[Tensor, "b {size}"]:
        """Draws `size` bytes for each image."""
        words = torch.arange(-(-size // 8), device=self.indices.device)
        of_image = random_bits(self.key(what), self.indices)
        return random_bits(0, of_image[:, None] + words).view(torch.uint8)[:, :size]

    def normals(self, *whats: str) -> Float[Tensor, "b k"]:
        """Draws a number from the standard normal distribution for each image and purpose.

        Box & Muller 1958, https://doi.org/10.1214/aoms/1177706645
        """
        drawn = self.uniforms(*(f"{what}, {part}" for part in ("radius", "angle") for what in whats))
        radius, angle = torch.stack(drawn, dim=1).chunk(2, dim=1)
        return torch.sqrt(-2 * torch.log1p(-radius)) * torch.cos(2 * math.pi * angle)

    def beta(self, what: str, alpha: float) -> Float[Tensor, "b"]:
        """Draws a number from the distribution Beta(alpha, alpha) for each image, without rejection.

        For x from Beta(alpha + 1, alpha + 1), 2x - 1 is sqrt(1 - u ** (2 / (2 alpha + 1))) cos(2 pi v) (Ulrich
        1984, https://doi.org/10.2307/2347441). A gamma variate of shape alpha is one of shape alpha + 1 times
        u ** (1 / alpha), and a beta variate the share of one gamma variate in the sum of two; so the logit of
        x moves by the difference of two log(u) / alpha.
        """
        # In float64 and half a step above 0: for small alpha most draws lie close to 0 or 1.
        drawn = self.uniforms(*(f"{what}, {part}" for part in range(4)))
        u, v, first, second = (in_float64(torch.stack(drawn)) + 2.0**-25).unbind()
        centred = torch.sqrt(1 - u ** (2 / (2 * alpha + 1))) * torch.cos(2 * math.pi * v)
        drawn_share = torch.sigmoid(2 * torch.atanh(centred) + (first.log() - second.log()) / alpha)
        return drawn_share.float().to(self.indices.device)

"""Frequency views of a dataset: low-pass and high-pass filters, and phase scrambling.

Their results exceed black and white: a filtered edge overshoots, and half of a digit's pixels would be below black. So
grey levels are float16, exact to 1/8 of a level up to 255, and the network sees all of them. Clipping to bytes loses
little of photographs, but half of the contrast of MNIST.
"""

from abc import abstractmethod

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lit_cnn.devices import in_float64
from lit_cnn.transforms.arguments import ABOVE_0, check_number
from lit_cnn.transforms.pixels import as_bytes
from lit_cnn.transforms.views import Images, View, numbered_bits

Levels = Float[Tensor, "b c h w"]


class Frequencies(View):
    """Base of the views that filter the Fourier transform of each channel."""

    earlier = {"clip": True}

    def __init__(self, clip: bool = False):
        self.clip = clip

    @property
    def floats(self) -> bool:
        """Whether its grey levels are float16."""
        return not self.clip

    def __call__(self, images: Images, indices: Int64[Tensor, "b"], split: str) -> Images:
        # In float64, since the last bits of a transform depend on the processor and the number of images.
        exact = in_float64(images)
        levels = self.levels(exact, indices.to(exact.device), split)
        return (as_bytes(levels) if self.clip else levels.half()).to(images.device)

    @abstractmethod
    def levels(self, images: Levels, indices: Int64[Tensor, "b"], split: str) -> Levels:
        """Returns the exact grey levels."""


class LowPass(Frequencies):
    """Low-pass filter: keeps the frequencies up to a radius, which blurs the image.

    Yin et al. 2019, "A Fourier perspective on model robustness in computer vision",
    https://arxiv.org/abs/1906.08988.

    Args:
        cutoff: The radius, in cycles per image, in the Fourier transform of each channel.
        clip: Round to whole grey levels and clip to 0 to 255, as in an image file; this brings back some of the other
            frequencies. By default grey levels are unclipped floats, which take twice the memory.

    Example:
        >>> views = [LowPass(cutoff=3)]  # for any data module
    """

    def __init__(self, cutoff: float, clip: bool = False):
        super().__init__(clip)
        self.cutoff = check_number(self, "cutoff", cutoff, "a number of cycles per image above 0", ABOVE_0)

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        highest = float(_radii(*image_size).max())
        if self.cutoff > highest:
            raise ValueError(
                f"`cutoff` is {self.cutoff} cycles per image, but images of {image_size[0]} x {image_size[1]} pixels "
                f"have none above {highest:.1f}. Use a smaller one."
            )

    def levels(self, images: Levels, indices: Int64[Tensor, "b"], split: str) -> Levels:
        kept = _radii(*images.shape[2:]).to(images.device) <= self.cutoff
        return torch.fft.irfft2(torch.fft.rfft2(images) * kept, s=images.shape[2:])


class HighPass(LowPass):
    """High-pass filter: keeps the frequencies above a radius, edges and texture, on a middle grey.

    Yin et al. 2019, https://arxiv.org/abs/1906.08988.

    Args:
        cutoff: The radius, in cycles per image, in the Fourier transform of each channel.
        clip: Round to whole grey levels and clip to 0 to 255, as in LowPass.

    Example:
        >>> views = [HighPass(cutoff=3)]  # for any data module
    """

    def levels(self, images: Levels, indices: Int64[Tensor, "b"], split: str) -> Levels:
        return images - super().levels(images, indices, split) + 127.5


class PhaseScramble(Frequencies):
    """Phase scrambling: keeps the amplitude of each frequency and randomises its phase, which destroys shapes.

    Oppenheim & Lim 1981, "The importance of phase in signals", https://doi.org/10.1109/PROC.1981.12022. The phases
    of all channels of an image are shifted by the same amounts, so its colours stay together; mean and standard
    deviation of the brightness are kept.

    Args:
        seed: Seed of the phases, independent of the run's seed.
        clip: Round to whole grey levels and clip to 0 to 255, as in LowPass; this changes the amplitudes, for MNIST
            by a half.

    Example:
        >>> views = [PhaseScramble()]  # for any data module
    """

    numbered = True

    def __init__(self, seed: int = 0, clip: bool = False):
        super().__init__(clip)
        self.seed = seed

    def levels(self, images: Levels, indices: Int64[Tensor, "b"], split: str) -> Levels:
        height, width = images.shape[2:]
        bits = numbered_bits(self.seed, "phases", split, indices, height * width)
        noise = (bits >> 40).to(images.dtype).view(-1, 1, height, width)  # signed, and so around 0
        moved = torch.fft.rfft2(noise)  # of real noise, so that the phases fit a real image
        moved = torch.polar(torch.ones_like(moved.real), moved.angle())
        moved[..., 0, 0] = 1  # the mean
        return torch.fft.irfft2(torch.fft.rfft2(images) * moved, s=(height, width))


def _radii(height: int, width: int) -> Float[Tensor, "h w2"]:
    """Returns the distance of each frequency of `rfft2` from 0, in cycles per image."""
    down, right = (torch.fft.fftfreq(height) * height).round(), (torch.fft.rfftfreq(width) * width).round()
    return torch.hypot(down[:, None], right[None, :])

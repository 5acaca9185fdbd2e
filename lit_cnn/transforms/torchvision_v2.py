"""TorchvisionV2: transforms of torchvision.transforms.v2 as an augmentation, for pipelines that exist already.

These transforms take one image at a time and use torch's global generator, which is seeded for each image by a key. So
runs are repeatable, but slower than with the augmentations of whole batches.
"""

import torch
from torch import Tensor, nn

from lit_cnn.keyed_random import Draws, random_bits
from lit_cnn.transforms.augment import Augmentation, Images, Stage

LEAVE_OUT = "Remove ToImage, ToTensor, ToDtype and Normalize: images are uint8 here, and are normalised later."


class TorchvisionV2(Augmentation):
    """Applies transforms of torchvision.transforms.v2 to each image, seeded by (seed, epoch, image).

    It is slower than the augmentations of whole batches, and comes before all others.

    Args:
        transforms: The transforms, each from uint8 [c, h, w] to the same, applied one after the other.

    Raises:
        ValueError: If one does not return bytes of the images' shape.

    Example:
        >>> from torchvision.transforms import v2
        >>> augment = [TorchvisionV2([v2.RandomRotation(10)])]  # for any data module
    """

    stage = Stage.GEOMETRY

    def __init__(self, transforms: list[nn.Module]):
        self.transforms = transforms

    def check(self, image_size: tuple[int, int], in_channels: int) -> None:
        image = torch.zeros(in_channels, *image_size, dtype=torch.uint8)
        before = f"images of uint8 {list(image.shape)}"
        for transform in self.transforms:
            name = type(transform).__name__
            try:
                with torch.random.fork_rng(devices=[]):
                    out = transform(image)
            except Exception as error:  # each transform has errors of its own
                reason = " ".join(str(error).split())[:200]
                raise ValueError(f"{name} does not work on {before}: {reason}.\n{LEAVE_OUT}") from error
            if not isinstance(out, Tensor) or out.dtype != torch.uint8 or out.shape != image.shape:
                got = f"{out.dtype} {list(out.shape)}" if isinstance(out, Tensor) else f"a {type(out).__name__}"
                raise ValueError(f"{name} turns {before} into {got}, but type and shape must not change.\n{LEAVE_OUT}")

    def __call__(self, images: Images, draws: Draws) -> Images:
        seeds = random_bits(draws.key("transforms"), draws.indices.cpu()).tolist()
        changed = []
        with torch.random.fork_rng(devices=[]):
            for image, seed in zip(images.contiguous(), seeds, strict=True):
                torch.default_generator.manual_seed(seed)
                for transform in self.transforms:
                    image = transform(image)
                changed.append(image)
        return torch.stack(changed).contiguous(memory_format=torch.channels_last)

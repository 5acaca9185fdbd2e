"""The permutation of pixels that takes locality away."""

from jaxtyping import Shaped
from torch import Tensor, nn

from lit_cnn.transforms.draws import permutation


class PixelPermutation(nn.Module):
    """Moves every pixel to a new position, the same for all images and channels.

    What a fully connected network can learn is unchanged by it, since the order of its inputs means nothing
    to it. A convolution relies on neighbours, and a permuted image has none.

    Args:
        image_size: Height and width of the images, in pixels.
        seed: Seed of the permutation, apart from the run's seed, so that all runs face the same task.

    Example:
        >>> import torch
        >>> permute = PixelPermutation((28, 28), seed=0)
        >>> images = torch.arange(784).reshape(1, 1, 28, 28)
        >>> bool((permute.inverse(permute(images)) == images).all())
        True
    """

    order: Tensor
    inverse_order: Tensor

    def __init__(self, image_size: tuple[int, int] = (28, 28), seed: int = 0):
        super().__init__()
        height, width = image_size
        order = permutation(height * width, seed, "pixel permutation")
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("inverse_order", order.argsort(), persistent=False)

    def forward(self, images: Shaped[Tensor, "b c h w"]) -> Shaped[Tensor, "b c h w"]:
        """Permutes: new pixel i is the old pixel `order[i]`, row by row."""
        return self._gather(images, self.order)

    def inverse(self, images: Shaped[Tensor, "b c h w"]) -> Shaped[Tensor, "b c h w"]:
        """Undoes `forward`."""
        return self._gather(images, self.inverse_order)

    @staticmethod
    def _gather(images: Tensor, order: Tensor) -> Tensor:
        b, c, h, w = images.shape
        pixels = images.permute(0, 2, 3, 1).reshape(b, h * w, c)  # whole pixels, in channels_last memory
        return pixels.index_select(1, order).view(b, h, w, c).permute(0, 3, 1, 2)

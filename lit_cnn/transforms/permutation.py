"""Pixel permutations, which destroy locality fully or in degrees."""

from typing import Literal

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor, nn

from lit_cnn.errors import ConfigError
from lit_cnn.keyed_random import permutation
from lit_cnn.sizes import height_and_width
from lit_cnn.typed_arguments import TypedArguments

PermutationKind = Literal["pixels", "blocks", "deranged_blocks", "within_blocks", "rows", "columns"]
BLOCK_KINDS = ("blocks", "deranged_blocks", "within_blocks")


class PixelPermutation(TypedArguments, nn.Module):
    """Moves every pixel to a new position, the same for all images and channels.

    It does not change what an MLP can learn, since the order of the inputs means nothing to it. A convolution relies
    on neighbouring pixels, and in a permuted image neighbours are unrelated.

    Args:
        image_size: Height and width of the images, in pixels; one number for both.
        seed: Seed of the permutation, independent of the run's seed, so all runs have the same permutation.
        kind: What is permuted: pixels; blocks (on average one stays in place); deranged_blocks (no block stays in
            place, unless there is only one); within_blocks, the pixels inside each block, all blocks in the same way;
            rows; or columns.
        block: Height and width of a block, in pixels; it has to divide those of the image. Other kinds ignore it.

    Raises:
        ValueError: If the blocks do not fit the image.

    Example:
        >>> PixelPermutation((28, 28), seed=0)(torch.arange(784).view(1, 1, 28, 28))[0, 0, 0, :4]
        tensor([102, 341, 231, 486])
    """

    order: Tensor
    inverse_order: Tensor

    def __init__(
        self,
        image_size: int | tuple[int, int] = (28, 28),
        seed: int = 0,
        kind: PermutationKind = "pixels",
        block: int = 1,
    ):
        super().__init__()
        self.image_size = height_and_width(image_size)
        order = _order(*self.image_size, seed, kind, block)
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("inverse_order", order.argsort(), persistent=False)

    def forward(self, images: Shaped[Tensor, "*b c h w"]) -> Shaped[Tensor, "*b c h w"]:
        """Permutes images, or a single one: new pixel i is old pixel `order[i]`, counted row by row."""
        return self._gather(images, self.order)

    def inverse(self, images: Shaped[Tensor, "*b c h w"]) -> Shaped[Tensor, "*b c h w"]:
        """Undoes `forward`."""
        return self._gather(images, self.inverse_order)

    def _gather(self, images: Tensor, order: Tensor) -> Tensor:
        if images.dim() < 3 or tuple(images.shape[-2:]) != self.image_size:
            height, width = self.image_size
            raise ValueError(
                f"The permutation is for images [..., channels, {height}, {width}], but got {list(images.shape)}."
            )
        if images.dim() != 4:  # one image, or batches of batches
            return self._gather(images.reshape(-1, *images.shape[-3:]), order).reshape(images.shape)
        b, c, h, w = images.shape
        pixels = images.permute(0, 2, 3, 1).reshape(b, h * w, c)  # whole pixels, in channels_last memory
        return pixels.index_select(1, order).view(b, h, w, c).permute(0, 3, 1, 2)


def _order(height: int, width: int, seed: int, kind: str, block: int) -> Int64[Tensor, "p"]:
    """Returns the old position of each new pixel, counted row by row."""
    if kind == "pixels":
        return permutation(height * width, seed, "pixel permutation")
    places = torch.arange(height * width).view(height, width)
    if kind == "rows":
        return places[permutation(height, seed, "row permutation")].flatten()
    if kind == "columns":
        return places[:, permutation(width, seed, "column permutation")].flatten()
    fitting = [size for size in range(1, min(height, width) + 1) if height % size == width % size == 0]
    if block not in fitting:
        raise ValueError(
            f"`permute_block` of {block} pixels does not divide images of {height} x {width} pixels. "
            f"Use one of {', '.join(map(str, fitting))}."
        )
    # Axes: down and right among the blocks, then among the pixels of each.
    down, right = height // block, width // block
    blocks = places.view(down, block, right, block).transpose(1, 2).reshape(down * right, block * block)
    if kind in ("blocks", "deranged_blocks"):
        draw = permutation if kind == "blocks" else derangement
        blocks = blocks[draw(down * right, seed, "block permutation")]
    else:
        blocks = blocks[:, permutation(block * block, seed, "permutation within blocks")]
    return blocks.view(down, right, block, block).transpose(1, 2).flatten()


def refuse_unused_block(kind: str, block: int) -> None:
    """Raises a ConfigError if blocks have a size, but this kind has no blocks."""
    if block > 1 and kind not in BLOCK_KINDS:
        raise ConfigError(
            f"`permute_block` is {block}, but `permute_kind` is {kind}, which has no blocks.\n"
            f"Use one of the kinds {', '.join(BLOCK_KINDS)}, or remove `permute_block`."
        )


def effective(seed: int | None, kind: PermutationKind, block: int) -> tuple[int | None, PermutationKind, int]:
    """Returns seed, kind and block of a permutation, with the default of each that has no effect.

    Example:
        >>> effective(0, "rows", 7), effective(None, "blocks", 7)
        ((0, 'rows', 1), (None, 'pixels', 1))
    """
    return (None, "pixels", 1) if seed is None else (seed, kind, block if kind in BLOCK_KINDS else 1)


def derangement(n: int, *parts: int | str) -> Int64[Tensor, "n"]:
    """Returns a random permutation of 0 to n - 1 that moves every number (1 in e does), unless n is 1."""
    places = torch.arange(n)
    order, attempt = permutation(n, *parts), 0
    while n > 1 and (order == places).any():
        attempt += 1
        order = permutation(n, *parts, attempt)
    return order

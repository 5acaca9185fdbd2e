"""What a network's layers look for, and what they find in an image."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure
from torch import Tensor

from lit_cnn.plots.grids import grid, shortened, show

FILTERS = 64  # filters and
MAPS = 8  # maps of a layer that are shown


def filters(weights: Float[Tensor, "n c h w"], title: str = "first-layer filters", columns: int = 8) -> Figure:
    """Returns the filters of a convolution as images: in colour for 3 input channels, else the mean over them.

    Args:
        weights: The convolution's weights.
        title: What to write above; number, size and scale are added.
        columns: Filters in a row.
    """
    weights = weights.detach().float().cpu()
    shown = weights[:FILTERS]
    if shown.shape[1] != 3:
        shown = shown.mean(dim=1, keepdim=True)
    largest = float(shown.abs().max()) or 1.0
    n, _, height, width = weights.shape
    number = f"{n}" if n <= FILTERS else f"the first {FILTERS} of {n}"
    rows, columns = -(-len(shown) // columns), min(columns, len(shown))
    # One picture and not one axis for each filter, which takes matplotlib ten times as long.
    mosaic = torch.full((rows * (height + 1) - 1, columns * (width + 1) - 1, shown.shape[1]), torch.nan)
    for i, one in enumerate(shown.permute(0, 2, 3, 1) / largest):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        mosaic[top : top + height, left : left + width] = one
    figure = Figure(figsize=(max(0.6 * columns, 3.4) + 0.4, 0.6 * rows * height / width + 0.9), layout="constrained")
    axis = figure.subplots()
    axis.axis("off")
    if shown.shape[1] == 3:
        axis.imshow((mosaic / 2 + 0.5).nan_to_num(1.0), interpolation="nearest")
        scale = "grey is 0"
    else:
        axis.imshow(mosaic[:, :, 0], cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        scale = "blue below 0, red above"
    figure.suptitle(f"{title}\n{number} of {height} x {width}, up to ±{largest:.2g}; {scale}", fontsize=9)
    return figure


def feature_maps(
    image: UInt8[Tensor, "c h w"],
    maps: Mapping[str, Float[Tensor, "c h w"]],
    title: str = "feature maps",
    columns: int = MAPS,
) -> Figure:
    """Returns the strongest maps of each layer for one image, from the first layer on top to the last.

    Args:
        image: The image as the network sees it.
        maps: Outputs by the layer's name, in the order of the layers.
        title: What to write above all.
        columns: Maps of a layer.
    """
    figure, axes = grid(len(maps), columns + 1, title)
    figure.set_size_inches(1.05 * (columns + 1) + 0.4, 1.1 * len(maps) + 0.8)
    show(axes[0, 0], image)
    axes[0, 0].set_title("input", fontsize=8)
    for row, (name, found) in enumerate(maps.items()):
        found = found.detach().float().cpu()
        strength = found.abs().mean(dim=(1, 2))
        strongest = torch.argsort(strength, descending=True, stable=True)[:columns].tolist()
        text = f"{shortened(name, 20)}\n{len(found)} maps\n{found.shape[1]} x {found.shape[2]}"
        axes[row, 1].set_ylabel(text, fontsize=8, rotation=0, ha="right", va="center")
        largest = float(found.abs().max()) or 1.0
        for axis, channel in zip(axes[row, 1:], strongest, strict=False):
            axis.imshow(found[channel], cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest")
            axis.set_title(f"{channel}", fontsize=7)
    return figure

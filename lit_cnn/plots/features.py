"""Filters of a layer, and feature maps of an image."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from lit_cnn.plots.grids import SIZE, Grid
from lit_cnn.plots.text import Figure, shortened

FILTERS, COLUMNS = 64, 8  # maximum number of filters, and of filters in a row
MAPS = 8  # maximum number of feature maps of a layer


def filters(weights: Float[Tensor, "n c h w"], title: str = "first-layer filters") -> Figure:
    """Filters of a convolution as images, by its weights: in colour for 3 input channels, else their mean.

    Number, size and scale are added to the title.
    """
    weights = weights.detach().float().cpu()
    in_colour = weights.shape[1] == 3
    shown = weights[:FILTERS] if in_colour else weights[:FILTERS].mean(dim=1, keepdim=True)
    largest = float(shown.abs().max()) or 1.0
    n, _, height, width = weights.shape
    number = f"{n}" if n <= FILTERS else f"the first {FILTERS} of {n}"
    rows, columns = -(-len(shown) // COLUMNS), min(COLUMNS, len(shown))
    # One picture, since an axis for each filter takes matplotlib ten times as long.
    mosaic = torch.full((rows * (height + 1) - 1, columns * (width + 1) - 1, shown.shape[1]), torch.nan)
    for i, one in enumerate(shown.permute(0, 2, 3, 1) / largest):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        mosaic[top : top + height, left : left + width] = one
    figure = Figure(figsize=(max(0.6 * columns, 3.4) + 0.4, 0.6 * rows * height / width + 0.9), layout="constrained")
    axis = figure.subplots()
    axis.axis("off")
    if in_colour:
        axis.imshow((mosaic / 2 + 0.5).nan_to_num(1.0).numpy(), interpolation="nearest")
        scale = "grey is 0"
    else:
        axis.imshow(mosaic[:, :, 0].numpy(), cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        scale = "negative blue, positive red" + f"; means of {weights.shape[1]} channels" * (weights.shape[1] > 1)
    figure.suptitle(f"{title}: {number} of {height} x {width}\nweights up to ±{largest:.2g}; {scale}", fontsize=9)
    return figure


def feature_maps(
    image: UInt8[Tensor, "c h w"], maps: Mapping[str, Float[Tensor, "c h w"]], title: str = "feature maps"
) -> Figure:
    """Strongest feature maps of each layer, by its name, for an image as the network sees it; first layer on top."""
    columns = min(MAPS, max(map(len, maps.values())))
    aspect = image.shape[1] / image.shape[2]
    title += "\nnegative blue, positive red; each layer has its own scale"
    grid = Grid(len(maps), columns + 2, aspect, title, inches=0.95)
    grid.show(image, (0, 0), "input")
    for row, (name, found) in enumerate(maps.items()):
        found = found.detach().float().cpu()
        strongest = found.abs().mean(dim=(1, 2)).argsort(descending=True, stable=True)[:columns].tolist()
        largest = float(found.abs().max()) or 1.0
        for column, channel in enumerate(strongest, start=2):
            grid.show(found[channel], (row, column), f"{channel}", cmap="RdBu_r", vmin=-largest, vmax=largest)
        text = f"{shortened(name, 18)}\n{len(found)} maps\n{found.shape[1]} x {found.shape[2]}"
        middle = sum(grid.axis.images[-1].get_extent()[2:]) / 2
        grid.axis.text(2.15, middle, text, fontsize=SIZE, ha="right", va="center")
    return grid.figure

"""Attribution figure: an image with Grad-CAM, occlusion and saliency maps."""

from typing import NamedTuple

from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from torch import Tensor

from lit_cnn.plots.text import Figure


class View(NamedTuple):
    """An image and its attribution maps, with pixels in the same places."""

    name: str
    image: UInt8[Tensor, "c h w"]  # below the maps
    grad_cam: Float[Tensor, "h w"] | None  # None for a network without feature maps
    occlusion: Float[Tensor, "h w"]  # drop in the class's probability when a square over the pixel is hidden
    saliency: Float[Tensor, "h w"]


def explanation(title: str, image: UInt8[Tensor, "c h w"], views: list[View], side: int) -> Figure:
    """Attribution figure: the image, and a row for each view with Grad-CAM, occlusion and saliency.

    The first view is what the network sees; a second one has the permutation undone. `side` is the side of the
    occlusion squares, in pixels.
    """
    figure = Figure(figsize=(12.5, 2.5 * len(views) + 0.9), layout="constrained")
    axes = figure.subplots(len(views), 5, squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    for axis in axes[1:, 0]:
        axis.set_axis_off()
    _show(axes[0, 0], image, "the image")
    largest = max(float(view.occlusion.abs().max()) for view in views) or 1.0
    for row, view in zip(axes, views, strict=True):
        _show(row[1], view.image, view.name)
        _heat(figure, row[2], view, view.grad_cam, "Grad-CAM: evidence for the class")
        drawn = row[3].imshow(view.occlusion.numpy(), cmap="RdBu_r", vmin=-largest, vmax=largest)
        row[3].set_title(f"occlusion, {side} x {side} pixels:\ndrop in the class's probability", fontsize=9)
        figure.colorbar(drawn, ax=row[3], shrink=0.75).ax.tick_params(labelsize=7)
        _heat(figure, row[4], view, view.saliency, "saliency: gradient of the class's logit")
    figure.suptitle(title, fontsize=11)
    return figure


def _heat(figure: Figure, axis: Axes, view: View, heat: Float[Tensor, "h w"] | None, title: str) -> None:
    axis.set_title(title + ("" if heat is None else "\n(1 = strongest)"), fontsize=9)
    if heat is None:
        text = "no feature maps:\neach unit of a fully\nconnected layer\nsees all pixels"
        axis.text(0.5, 0.5, text, ha="center", va="center", transform=axis.transAxes, fontsize=9)
        axis.set_aspect("equal")
        return
    grey = view.image.float().mean(0).numpy()
    axis.imshow(grey, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    share = heat.numpy() / max(float(heat.max()), 1e-12)
    drawn = axis.imshow(share, cmap="inferno", vmin=0, vmax=1, alpha=0.65, interpolation="nearest")
    figure.colorbar(drawn, ax=axis, shrink=0.75).ax.tick_params(labelsize=7)


def _show(axis: Axes, image: UInt8[Tensor, "c h w"], title: str) -> None:
    pixels = image if len(image) == 3 else image.float().mean(0, keepdim=True)
    axis.imshow(pixels.permute(1, 2, 0).numpy(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axis.set_title(title, fontsize=9)

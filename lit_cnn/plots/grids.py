"""Image grids: samples, predictions and worst mistakes."""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float, Int64, UInt8
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor

from lit_cnn.plots.text import Figure, drawable, shortened

RIGHT, WRONG = "#1a7f37", "#c0262d"
TEXT, HEAD = 0.42, 0.52  # inches for the text above an image, and for the title
SIZE, TITLE, NARROW = 10, 13, 9  # points of the text, of the title, and of one above a few images
GAP = 0.12  # between images, in image widths


class Grid:
    """A figure of images in rows and columns, each with a text above.

    All images are on one axis, since matplotlib takes several times as long with an axis for each. The aspect is height
    / width of the images, the title has one or two lines, and `inches` is the width of an image.
    """

    def __init__(self, rows: int, columns: int, aspect: float, title: str, inches: float = 1.2):
        self.aspect, self.text, self.columns = aspect, TEXT / inches, columns
        width, height = GAP + columns * (1 + GAP), rows * (aspect + self.text) + GAP
        self.figure = Figure(figsize=(width * inches, height * inches + HEAD))
        share = height * inches / (height * inches + HEAD)
        self.axis: Axes = self.figure.add_axes((0, 0, 1, share))
        self.axis.axis("off")
        self.figure.suptitle(title, fontsize=TITLE if width * inches > 5 else NARROW, y=0.99, va="top")
        self.axis.set(xlim=(-GAP, width - GAP), ylim=(height, 0), xticks=[], yticks=[], autoscale_on=False)

    def show(
        self,
        image: UInt8[Tensor, "c h w"] | Float[Tensor, "h w"],
        place: int | tuple[float, float],
        text: str = "",
        colour: str | None = None,
        **how: Any,
    ) -> None:
        """Shows an image: in colour, in grey as the mean of its channels, or by `imshow`'s arguments, such as `cmap`.

        Its place is a row and column, or its number, counted row by row. The text above and a frame have the colour.
        """
        row, column = divmod(place, self.columns) if isinstance(place, int) else place
        left, top = column * (1 + GAP), row * (self.aspect + self.text) + self.text
        pixels = image.numpy() if image.ndim == 2 else image.permute(1, 2, 0).numpy()
        if image.ndim == 3 and len(image) not in (3, 4):  # greyscale, or too many channels for colours
            pixels, how = pixels.mean(axis=2), {"cmap": "gray", "vmin": 0, "vmax": 255}
        box = (left, left + 1, top + self.aspect, top)
        self.axis.imshow(pixels, extent=box, interpolation="nearest", aspect="auto", **how)
        if text:
            self.axis.text(
                left + 0.5, top - 0.03, text, color=colour or "black", ha="center", va="bottom", fontsize=SIZE
            )
        if colour:
            self.axis.add_artist(Rectangle((left, top), 1, self.aspect, fill=False, color=colour, linewidth=2))


def sample_grid(
    images: UInt8[Tensor, "b c h w"],
    seen: UInt8[Tensor, "b c h w"],
    titles: Sequence[str],
    title: str,
    seen_as: str,
    columns: int = 6,
) -> Figure:
    """Grid of sample images, each with a title above and the network's view of it, `seen`, below.

    `seen_as` says what is changed in the network's view, such as "augmented, permuted".
    """
    title += f"\nbelow: the same as the network sees it ({seen_as})"
    grid = _grid_for(images, title, columns, height=2)
    nearer = 0.8 * grid.text / (grid.aspect + grid.text)  # no text above the lower image
    for i in range(len(images)):
        row, column = divmod(i, grid.columns)
        grid.show(images[i], (2 * row, column), shortened(titles[i]))
        grid.show(seen[i], (2 * row + 1 - nearer, column))
    return grid.figure


def prediction_grid(
    images: UInt8[Tensor, "b c h w"],
    labels: Sequence[int],
    preds: Sequence[int],
    probabilities: Sequence[float],
    class_names: Sequence[str],
    title: str,
) -> Figure:
    """Grid of images with their predictions, right in green and wrong in red; their number is added to the title.

    Args:
        images: The original images.
        labels: The true class of each.
        preds: The predicted class.
        probabilities: The probability of the predicted class.
        class_names: Names of the classes.
        title: Title of the figure.
    """
    right = sum(label == pred for label, pred in zip(labels, preds, strict=True))
    title = f"{title}: {right} of {len(images)} correct\nabove each: prediction and its probability"
    grid = _grid_for(images, title, columns=6)
    return _with_predictions(grid, "{}: {:.0%}", images, labels, preds, probabilities, class_names)


def worst_mistakes(
    images: UInt8[Tensor, "b c h w"],
    labels: Sequence[int] | Int64[Tensor, "b"],
    preds: Sequence[int] | Int64[Tensor, "b"],
    probabilities: Sequence[float] | Float[Tensor, "b"],
    class_names: Sequence[str],
    title: str = "worst mistakes",
) -> Figure:
    """Grid of the worst mistakes, the worst first; it takes the arguments of `prediction_grid`."""
    if not len(images):
        figure = Figure(figsize=(5, 1))
        figure.text(0.5, 0.5, f"{title}: none", ha="center", va="center")
        return figure
    grid = _grid_for(images, f"{title}\nabove each: prediction, its probability, true class", columns=6, inches=1.4)
    return _with_predictions(grid, "{}: {:.1%}", images, labels, preds, probabilities, class_names)


def _grid_for(images: Tensor, title: str, columns: int, height: int = 1, inches: float = 1.2) -> Grid:
    rows, (h, w) = -(-len(images) // columns) * height, images.shape[-2:]
    return Grid(rows, min(columns, len(images)), h / w, title, inches)


def _with_predictions(
    grid: Grid, form: str, images: Tensor, labels: Any, preds: Any, probabilities: Any, class_names: Sequence[str]
) -> Figure:
    names = drawable(class_names)
    for i, (label, pred, probability) in enumerate(zip(labels, preds, probabilities, strict=True)):
        text = form.format(names[pred], probability)
        if label == pred:
            grid.show(images[i], i, text, RIGHT)
        else:
            grid.show(images[i], i, f"{text}\ntrue: {names[label]}", WRONG)
    return grid.figure

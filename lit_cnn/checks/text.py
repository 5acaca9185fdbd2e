"""Text tables: layers, memory and time."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from lit_cnn.checks.cost import Length
from lit_cnn.checks.text_table import text_table
from lit_cnn.models.layer_table import Layer

NAME_WIDTH = 40


def layer_table(layers: Sequence[Layer], net: nn.Module, image_size: tuple[int, int]) -> str:
    """Returns the layer table: output size, parameters, MACs and receptive field of each layer."""
    rows = [("layer", "kind", "output", "parameters", "MACs", "field", "stride", "covers")]
    for layer in layers:
        field = stride = covers = ""
        if layer.field is not None:
            shares = [min(1.0, span.size / pixels) for span, pixels in zip(layer.field, image_size, strict=True)]
            strides = list(dict.fromkeys(span.stride for span in layer.field))
            field, stride = by([span.size for span in layer.field]), by(strides)
            covers = f"{math.prod(shares):.0%}"
        name = layer.name if len(layer.name) <= NAME_WIDTH else "..." + layer.name[3 - NAME_WIDTH :]
        costs = (f"{layer.parameters:,}", f"{layer.macs:,}")
        rows.append((name, layer.kind, by(layer.output), *costs, field, stride, covers))
    total = sum(p.numel() for p in net.parameters())
    others = total - sum({layer.name: layer.parameters for layer in layers}.values())  # each layer counts once
    if others:
        rows.append(("others (norms, auxiliary heads)", "", "", f"{others:,}", "", "", "", ""))
    rows.append(("total", "", "", f"{total:,}", f"{sum(layer.macs for layer in layers):,}", "", "", ""))
    return text_table(rows, right=range(2, 8))


def by(sizes: Sequence[int]) -> str:
    """Returns sizes as text, such as 3 x 32 x 32."""
    return " x ".join(map(str, sizes))


def item(mark: str, subject: str, text: str) -> str:
    """Returns a line on one subject, wrapped if it is long."""
    head = f"{mark:8}{subject:13}"
    return textwrap.fill(head + text, 80, subsequent_indent=" " * len(head))


def memory_table(sizes: dict[str, int]) -> str:
    """Returns the memory table: a line for each use, in megabytes, and the sum."""
    rows = [(what, f"{size / 1e6:,.1f} MB") for what, size in (sizes | {"total memory": sum(sizes.values())}).items()]
    return text_table(rows, right=(1,))


def time_table(length: Length) -> str:
    """Returns the time of training, validation and the whole run as text."""
    each = f"{length.epochs:,.4g} {'epoch' if length.epochs == 1 else 'epochs'} of"
    if math.isinf(length.epochs):
        each, length = "per epoch", replace(length, epochs=1)
    steps = f"{each} {length.steps:,} steps of {duration(length.step)}"
    rows = [("training", steps, duration(length.epochs * length.training))]
    if length.images:
        images = f"{each} {length.images:,} images of {duration(length.image)}"
        rows.append(("validation", images, duration(length.epochs * length.validation)))
    if length.start_up:
        rows.append(("start-up", "until the first step", duration(length.start_up)))
    rows.append(("total time", "without the test at the end", duration(length.total)))
    return text_table(rows, right=(2,))


def duration(seconds: float) -> str:
    """Returns a duration in a suitable unit."""
    for limit, unit, size in ((1e-4, "us", 1e-6), (0.1, "ms", 1e-3), (120, "s", 1), (7200, "min", 60)):
        if seconds < limit:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds / 3600:,.1f} h"

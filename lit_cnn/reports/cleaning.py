"""Images to check when cleaning data: labels that may be wrong, and near-duplicates."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, normalize
from tqdm import tqdm

from lit_cnn.errors import counted
from lit_cnn.reports.document import Block, Paragraph, Table
from lit_cnn.reports.predictions import Predictions

SHOWN = 30  # rows of each table
SIDE = 8  # side in pixels of the small grey images that are compared with each other
CANDIDATES = 5000  # most similar pairs, which are compared in full size
ALIKE = 0.97  # correlation of the pixels of near-duplicates


class Pair(NamedTuple):
    """Two near-duplicates, by their positions, and the correlation of their pixels."""

    first: int
    second: int
    correlation: float


def images_to_look_at(parts: Sequence[Predictions]) -> list[Block]:
    """Returns two tables on the images of some splits: labels that are likely wrong, and near-duplicates."""
    names = parts[0].data.class_names
    where = [place for p in parts for place in p.places]
    nll = torch.cat([p.nll for p in parts])
    preds, labels, sure = (torch.cat([getattr(p, what) for p in parts]) for what in ("preds", "labels", "confidences"))
    wrong = likely_wrong(nll, preds, labels)
    *first, last = [p.split for p in parts]
    splits = f"{', '.join(first)} and {last}" if first else last
    rows = [
        [where[i], names[labels[i]], names[preds[i]], f"{sure[i]:.2%}", f"{(-nll[i]).exp():.2%}", f"{nll[i]:.2f}"]
        for i in wrong[:SHOWN].tolist()
    ]
    head = ["image", "label", "prediction", "probability of the prediction", "probability of the label", "NLL, nats"]
    about = (
        f"Labels that may be wrong: for {len(wrong):,} of the {splits} images the network predicts another class. "
        "The images with the largest loss come first."
    )
    found: list[Block] = [Table(about, head, rows)] if rows else []
    pairs = near_duplicates(torch.cat([p.data.arrays(p.split).images for p in parts]))
    if pairs:
        split_of = [p.split for p in parts for _ in p.places]
        crossing = sum(split_of[a] != split_of[b] for a, b, _ in pairs)
        rows = [[where[a], where[b], names[labels[a]], names[labels[b]], f"{c:.4f}"] for a, b, c in pairs[:SHOWN]]
        across = f"; {crossing:,} in two splits" if crossing else ""
        others = sum(bool(labels[a] != labels[b]) for a, b, _ in pairs)
        caption = (
            f"Near-duplicates: {counted(len(pairs), 'pair')} of {splits} images with a correlation of {ALIKE} or more "
            f"between their pixels; {others:,} with different labels{across}. The most similar come first."
        )
        head = ["first image", "second image", "label of the first", "label of the second", "correlation"]
        found.append(Table(caption, head, rows))
    return found or [Paragraph(f"No label of the {splits} images seems wrong, and no two images are similar.")]


def likely_wrong(nll: Float[Tensor, "n"], preds: Int64[Tensor, "n"], labels: Int64[Tensor, "n"]) -> Int64[Tensor, "m"]:
    """Returns the positions of images whose label is not the prediction, largest loss first."""
    order = nll.argsort(descending=True, stable=True)
    return order[preds[order] != labels[order]]


def near_duplicates(images: UInt8[Tensor, "n c h w"]) -> list[Pair]:
    """Returns the pairs of images whose pixels correlate by `ALIKE` or more, the most alike first.

    First all images are compared in grey at 8 x 8 pixels. Then the `CANDIDATES` most similar pairs are compared in full
    size. An image of only one colour has no duplicates.
    """
    grey = torch.cat([part.float().mean(1, keepdim=True) for part in images.split(1024)])
    small = _centred(adaptive_avg_pool2d(grey, min(SIDE, *grey.shape[2:])))
    best: list[Tensor] = []
    rows = torch.arange(len(small))
    for start in tqdm(range(0, len(small), 1024), "near-duplicates", leave=False, disable=None):
        chunk = rows[start : start + 1024]
        alike = small[chunk] @ small[start:].T
        alike.masked_fill_(rows[None, start:] <= chunk[:, None], -1)
        first, second = (alike >= ALIKE).nonzero().T
        found = torch.stack([alike[first, second], first + start, second + start])
        best = [torch.cat([*best, found], dim=1)]
        if best[0].shape[1] > CANDIDATES:
            best = [best[0][:, best[0][0].topk(CANDIDATES).indices]]
    pairs = best[0][1:].long().T if best else torch.empty(0, 2, dtype=torch.int64)
    full = [(_centred(images[part[:, 0]]) * _centred(images[part[:, 1]])).sum(1) for part in pairs.split(256)]
    correlations = torch.cat(full) if full else torch.empty(0)
    order = correlations.argsort(descending=True, stable=True)
    chosen = [i for i in order.tolist() if correlations[i] >= ALIKE]
    return [Pair(int(pairs[i, 0]), int(pairs[i, 1]), float(correlations[i])) for i in chosen]


def _centred(images: Tensor) -> Float[Tensor, "n d"]:
    """Returns the pixels of each image as a vector of mean 0 and length 1."""
    pixels = images.flatten(1).float()
    return normalize(pixels - pixels.mean(1, keepdim=True), eps=1e-3)

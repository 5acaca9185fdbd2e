"""Comparison of two runs: settings, results, and the test images on which they disagree."""

from pathlib import Path
from statistics import mean

import torch

from lit_cnn.errors import ConfigError, counted
from lit_cnn.reports.document import Block, Document, Heading, Paragraph, Picture, Table
from lit_cnn.reports.figures import training_curves
from lit_cnn.reports.groups import Group, differences
from lit_cnn.reports.many_runs import p_value
from lit_cnn.reports.predictions import Predictions, predict
from lit_cnn.reports.statistics import holm, mcnemar, percent_interval
from lit_cnn.runs.record import Run

FIGURES = (
    ("test/acc", "test accuracy", "{:.2%}"),
    ("test/nll", "test NLL, nats per image", "{:.4f}"),
    ("test/ece", "test ECE", "{:.4f}"),
    ("val/acc", "validation accuracy", "{:.2%}"),
    ("train/acc", "training accuracy", "{:.2%}"),
    ("parameters", "parameters", "{:,}"),
    ("epochs", "epochs", "{}"),
    ("steps", "optimizer steps", "{:,}"),
    ("fit_seconds", "seconds of training", "{:.1f}"),
)


def comparison(runs: list[Run], data_dir: Path | None = None) -> Document:
    """Returns the comparison of two finished runs on the same data."""
    for run in runs:
        if run.fault:
            raise ConfigError(f"{run.folder} cannot be compared: {run.fault}.")
    one, other = (run.folder for run in runs)
    if runs[0].dataset != runs[1].dataset:
        raise ConfigError(
            f"{one} is of {runs[0].dataset}, but {other} of {runs[1].dataset}: their results "
            "cannot be compared.\n`report` shows runs of different datasets in separate sections."
        )
    groups = [Group(label, [run]) for label, run in zip("AB", runs, strict=True)]
    settings: Block = Paragraph("Their configs are the same, or differ only in the seed.")
    if differing := [[key, *values] for key, values in differences(groups).items()]:
        settings = Table(
            "Settings that differ between the configs, without the seed.", ["setting", "A", "B"], differing
        )
    a, b = (predict(run, data_dir) for run in runs)
    if not torch.equal(a.labels, b.labels):
        raise ConfigError(f"{one} and {other} were tested on different images.")
    blocks = [
        *(Paragraph(f"A is {one}, B is {other}, both on {runs[0].dataset}."), _results(runs), settings),
        *(Heading("The same images"), *_same_images(a, b), _classes(a, b)),
        *(Heading("Where they disagree"), _gallery(a, b, "A", "B"), _gallery(b, a, "B", "A")),
    ]
    if drawn := training_curves(groups):
        blocks += [Heading("Training curves"), *drawn]
    return Document(f"A {runs[0].title} and B {runs[1].title}", blocks)


def _results(runs: list[Run]) -> Table:
    rows = []
    for key, name, form in FIGURES:
        values = [run.results.get(key) for run in runs]
        if any(value is not None for value in values):
            rows.append([name, *("-" if value is None else form.format(value) for value in values)])
    rows.append(["seed", *(str(run.seed) for run in runs)])
    return Table("Results.", ["figure", "A", "B"], rows)


def _same_images(a: Predictions, b: Predictions) -> list[Block]:
    n, test = len(a.labels), mcnemar(a.right, b.right)
    both, neither = int((a.right & b.right).sum()), int((~a.right & ~b.right).sum())
    rows = [["A correct", f"{both:,}", f"{test.only_first:,}"], ["A wrong", f"{test.only_second:,}", f"{neither:,}"]]
    right = [int(p.right.sum()) for p in (a, b)]
    intervals = [percent_interval(count, n) for count in right]
    return [
        Table(f"The {n:,} test images.", ["", "B correct", "B wrong"], rows),
        Paragraph(
            f"A has {right[0]:,} correct (95 % interval {intervals[0]}), B {right[1]:,} ({intervals[1]}). Of "
            f"the {test.only_first + test.only_second:,} images that only one network classifies correctly, A has "
            f"{test.only_first:,}. McNemar's exact test: p = {p_value(test.p)}. It compares only these two "
            "networks. To compare over several seeds, use `report`."
        ),
    ]


def _classes(a: Predictions, b: Predictions) -> Table:
    ps, rows = [], []
    for c, name in enumerate(a.data.class_names):
        of = a.labels == c
        if of.any():
            ps.append(mcnemar(a.right[of], b.right[of]).p)
            shares = [float(p.right[of].double().mean()) for p in (a, b)]
            rows.append([name, f"{int(of.sum()):,}", *(f"{s:.2%}" for s in shares), f"{shares[1] - shares[0]:+z.2%}"])
    for row, p in zip(rows, holm(ps), strict=True):
        row.append(p_value(p))
    caption = f"Accuracy of each class; p by McNemar's exact test, corrected for {len(rows)} classes (Holm 1979)."
    return Table(caption, ["class", "images", "A", "B", "B - A", "p, corrected"], rows)


def _gallery(right: Predictions, wrong: Predictions, name: str, other: str) -> Block:
    split = (right.right & ~wrong.right).nonzero().flatten()
    if not len(split):
        return Paragraph(f"There is no image that only {name} classifies correctly.")
    title = f"{name} correct, {other} wrong: {other}'s most confident of {counted(len(split), 'mistake')}"
    confidence = mean(right.confidences[split].tolist())
    caption = (
        f"Images that only {name} classifies correctly, with the predictions of {other}. {name} gives the true "
        f"class of these {counted(len(split), 'image')} a probability of {confidence:.0%} on average."
    )
    return Picture(f"only_{name}_right", caption, wrong.most_confident(split, title))

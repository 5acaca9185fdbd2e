"""Classifies image files with a trained network: the top-k classes of each, with their probabilities."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from lit_cnn.commands.arguments import Parser, positive, run_and_images, true_class
from lit_cnn.errors import DataError, counted, printable

if TYPE_CHECKING:
    from lit_cnn.training.classifier import LitClassifier

EPILOG = """Images are prepared as in training, with the settings in the checkpoint. They are rotated by their EXIF tag,
laid on white where they are transparent, converted to greyscale or colour, resized (the whole image, bilinear,
proportions may change), normalised, and permuted if the run's images were.

The table goes to stdout. All other text goes to stderr: a progress bar, files that are not images, what was converted
or resized, and the accuracy, if images are in folders that are named as their classes.

--wrong prints only the mistakes, with the true class. If the images are dark on light, and the training images were
light on dark, or the reverse, a message says so. Then use --invert.

If an image cannot be read, its row says so. The others are classified, and the exit code is 3.

examples:
  python -m lit_cnn classify logs/quickstart/version_0 digit.png
  python -m lit_cnn classify logs/vgg_cifar pictures/test --wrong
  python -m lit_cnn classify logs/vgg_cifar 'scans/*.jpg' --format csv > a.csv
"""


class Row(NamedTuple):
    """One image: its path, its classes with their probabilities, most likely first, and why it cannot be read."""

    path: str
    ranking: list[tuple[str, float]]
    fault: str
    truth: str | None  # the class of its folder, if that is one

    @property
    def wrong(self) -> bool:
        """Whether the predicted class differs from the class of its folder."""
        return bool(self.ranking) and self.truth is not None and self.ranking[0][0] != self.truth


def main(argv: list[str]) -> None:
    """Prints the table."""
    parser = Parser("classify", __doc__, EPILOG)
    parser.add_run_and_images()
    parser.add_argument("--top_k", type=positive, default=3, help="classes to print for each image (default 3)")
    parser.add_argument("--format", choices=list(PRINTERS), default="table", help="output format (default table)")
    parser.add_argument("--batch_size", type=positive, default=256, help="images at a time (default 256)")
    parser.add_argument("--wrong", action="store_true", help="print only mistakes, if folders are named as the classes")
    parser.add_inverting()
    given = parser.parse_args(argv)
    module, paths = run_and_images(given)
    if given.wrong and not any(true_class(path, module.class_names) for path in paths):
        known = printable(", ".join(module.class_names[:5]))
        raise DataError(f"--wrong needs images in folders that are named as the classes, such as {known}.")
    top_k = min(given.top_k, len(module.class_names))
    rows = _rows(module, paths, top_k, given.batch_size, given.invert)
    shown = (row for row in rows if row.wrong or row.fault) if given.wrong else rows
    PRINTERS[given.format](shown, paths, module.class_names, top_k, given.wrong)


def _rows(module: "LitClassifier", paths: list[str], top_k: int, batch_size: int, invert: bool) -> Iterator[Row]:
    """Yields a row for each image, batch by batch, and says at the end what was converted and what is right."""
    from tqdm import tqdm

    from lit_cnn.data.stream import Changes, stream
    from lit_cnn.inference.polarity import Polarity
    from lit_cnn.training.hardware import default_device

    polarity = Polarity(module, invert)
    module.to(default_device())
    names, (channels, *size) = module.class_names, module.input_shape
    changes = Changes()
    right: list[bool] = []
    elsewhere, broken = 0, 0  # readable images whose folder is no class, and images that cannot be read
    with tqdm(total=len(paths), desc="Classifying", unit=" images", leave=False, disable=None) as bar:
        for batch in stream(paths, channels, (size[0], size[1]), batch_size):
            found = module.predict(polarity.seen(batch.images)).cpu().topk(top_k)
            best = zip(found.indices.tolist(), found.values.tolist(), strict=True)
            top = dict(zip(batch.readable, best, strict=True))
            for path in batch.paths:
                ranking = [(names[i], p) for i, p in zip(*top[path], strict=True)] if path in top else []
                row = Row(path, ranking, " ".join(batch.broken.get(path, "").split()), true_class(path, names))
                if ranking and row.truth is not None:
                    right.append(not row.wrong)
                elsewhere += bool(ranking) and row.truth is None
                yield row
            broken += len(batch.broken)
            for change in batch.changes.items():
                changes.add(*change)
            bar.update(len(batch.paths))
    for line in changes.lines():
        print(line, file=sys.stderr)
    if said := polarity.text():
        print(said, file=sys.stderr)
    if right:
        share = f"{sum(right)} of {len(right)} correct ({sum(right) / len(right):.2%})"
        print(f"{share}, by the names of their folders", file=sys.stderr)
        if elsewhere:
            print(f"{counted(elsewhere, 'image')} in folders that are not a class, not counted", file=sys.stderr)
    if broken:
        count = f"{broken} of {len(paths)} images"
        raise DataError(f"{count} could not be read. Their rows say why; the others are classified.")


def _print_table(rows: Iterable[Row], paths: list[str], class_names: list[str], top_k: int, truth: bool) -> None:
    width, class_width = (max(len(printable(name)) for name in names) for names in (paths, class_names))
    for path, ranking, fault, label in rows:
        cells = [f"{name:{class_width}} {probability:7.2%}" for name, probability in ranking]
        cells[:0] = [f"is {label or '':{class_width}}"] * (truth and not fault)
        print(printable(path).ljust(width), *(cells or [f"BROKEN: {fault}"]), sep="  ")


def _print_csv(rows: Iterable[Row], paths: list[str], class_names: list[str], top_k: int, truth: bool) -> None:
    table = csv.writer(sys.stdout, lineterminator="\n")
    ranks = ["", *(f"_{k}" for k in range(2, top_k + 1))]
    columns = [f"{what}{k}" for k in ranks for what in ("class", "probability")]
    table.writerow(["image", *["label"] * truth, *columns, "fault"])
    for path, ranking, fault, label in rows:
        cells = [cell for name, probability in ranking for cell in (name, f"{probability:.6f}")]
        name = path.encode(errors="surrogateescape").decode(errors="backslashreplace")  # valid text for any bytes
        table.writerow([name, *[label] * truth, *(cells or [""] * 2 * top_k), fault])


def _print_json(rows: Iterable[Row], paths: list[str], class_names: list[str], top_k: int, truth: bool) -> None:
    before = "[\n"
    try:
        for path, ranking, fault, label in rows:
            labelled = {"label": label} if truth else {}
            classes = [{"class": name, "probability": round(probability, 6)} for name, probability in ranking]
            print(before + json.dumps({"image": path, **labelled, "classes": classes, "fault": fault or None}), end="")
            before = ",\n"
    finally:
        print("\n]")


PRINTERS = {"table": _print_table, "csv": _print_csv, "json": _print_json}

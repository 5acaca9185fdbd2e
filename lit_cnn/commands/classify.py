"""Classifies image files with a trained network: the top-k classes of each, with their probabilities."""

import csv
import json
import sys
from collections.abc import Callable

from lit_cnn.commands.arguments import IMAGES, RUN, Parser, for_other_images, positive, true_class
from lit_cnn.errors import DataError, printable

EPILOG = """Images are prepared as those of the training were, by what the checkpoint remembers: turned upright as EXIF
says, made grey or coloured as the network needs, resized (bilinear, the whole image, whatever its proportions) where
their size is another, normalised, and permuted if the run was. The table goes to stdout, all else to stderr: a progress
bar, which files are left out as no images, what was converted or resized, and how many are right where the name of an
image's folder, or of the one above it, is a class.

An image that cannot be read is a marked row; the others are classified, and the exit code is 3.

examples:
  python -m lit_cnn classify logs/quickstart/version_0 digit.png
  python -m lit_cnn classify logs/vgg_cifar pictures/test 'scans/*.jpg' --top_k 1 --format csv > classes.csv
"""

Ranking = list[tuple[str, float]]  # classes with their probabilities, most likely first


def main(argv: list[str]) -> None:
    """Prints the table.

    Raises:
        LitCNNError: If an argument is wrong, there is no such run, or an image could not be read.
    """
    parser = Parser("classify", __doc__, EPILOG)
    parser.add_argument("run", help=RUN)
    parser.add_argument("images", nargs="+", help=IMAGES)
    parser.add_argument("--top_k", type=positive, default=3, help="classes to name for each image (default 3)")
    parser.add_argument("--format", choices=list(WRITERS), default="table", help="how to print it (default table)")
    parser.add_argument("--batch_size", type=positive, default=256, help="images at a time (default 256)")
    given = parser.parse_args(argv)

    from lit_cnn.data.image_files import find_images

    files = find_images(given.images)
    if unread := files.unread():
        print(unread, file=sys.stderr)
    classify(given.run, files.images, given.top_k, given.batch_size, given.format)


def classify(run: str, paths: list[str], top_k: int, batch_size: int, form: str) -> None:
    """Writes a row for each image, batch by batch.

    Args:
        run: A run's folder or a checkpoint.
        paths: The image files.
        top_k: Number of classes for each image.
        batch_size: Images in a batch.
        form: One of `WRITERS`.

    Raises:
        DataError: If an image cannot be read; after all others are classified.
    """
    import torch
    from tqdm import tqdm

    from lit_cnn.data.stream import stream
    from lit_cnn.inference.load import load

    module = for_other_images(load(run)).to("cuda" if torch.cuda.is_available() else "cpu")
    names, shape = module.class_names, module.input_shape
    known = right = broken = 0
    converted: list[str] = []
    resized: list[str] = []
    with WRITERS[form](paths, names, min(top_k, len(names))) as writer:
        bar = tqdm(total=len(paths), desc="Classifying", unit=" images", leave=False, disable=None)
        for batch in stream(paths, shape[0], shape[1:], batch_size):
            found = module.predict(batch.images).cpu().topk(min(top_k, len(names)))
            rankings: dict[str, Ranking] = {
                path: [(names[i], p) for i, p in zip(classes, probabilities, strict=True)]
                for path, classes, probabilities in zip(
                    batch.readable, found.indices.tolist(), found.values.tolist(), strict=True
                )
            }
            for path in batch.paths:
                writer.write(path, rankings.get(path, []), batch.broken.get(path))
            truths = {path: true_class(path, names) for path in batch.readable}
            known += sum(truth is not None for truth in truths.values())
            right += sum(rankings[path][0][0] == truth for path, truth in truths.items())
            broken += len(batch.broken)
            converted += batch.converted
            resized += batch.resized
            bar.update(len(batch.paths))
        bar.close()
    _say(converted, "converted to " + ("greyscale" if shape[0] == 1 else "colour"))
    _say(resized, f"resized to {shape[1]} x {shape[2]} pixels")
    if known:
        print(f"{right} of {known} right ({right / known:.2%}), by the names of their folders", file=sys.stderr)
    if broken:
        raise DataError(
            f"{broken} of {len(paths)} images could not be read. Their rows say why; the others are classified."
        )


def _say(paths: list[str], what: str) -> None:
    if paths:
        print(f"{len(paths)} image{'s' * (len(paths) > 1)} {what}, {printable(paths[0])} first", file=sys.stderr)


class TableWriter:
    """Writes aligned columns.

    Args:
        paths: All image files.
        class_names: All class names.
        top_k: Number of classes for each image.
    """

    def __init__(self, paths: list[str], class_names: list[str], top_k: int):
        self.width, self.class_width = (max(len(printable(name)) for name in names) for names in (paths, class_names))

    def __enter__(self) -> "TableWriter":
        return self

    def write(self, path: str, ranking: Ranking, fault: str | None) -> None:
        """Writes an image's row."""
        cells = [f"{name:{self.class_width}} {probability:7.2%}" for name, probability in ranking]
        print(printable(path).ljust(self.width), *(cells or [f"BROKEN: {_one_line(fault)}"]), sep="  ")

    def __exit__(self, *_: object) -> None:
        pass


class CSVWriter(TableWriter):
    """Writes `image, class, probability, class_2, probability_2, ..., fault`."""

    def __enter__(self) -> "CSVWriter":
        return self

    def __init__(self, paths: list[str], class_names: list[str], top_k: int):
        self.top_k = top_k
        self.rows = csv.writer(sys.stdout, lineterminator="\n")
        ranks = ["", *(f"_{k}" for k in range(2, top_k + 1))]
        self.rows.writerow(["image", *(f"{what}{k}" for k in ranks for what in ("class", "probability")), "fault"])

    def write(self, path: str, ranking: Ranking, fault: str | None) -> None:
        """Writes an image's row."""
        cells = [cell for name, probability in ranking for cell in (name, f"{probability:.6f}")]
        name = path.encode(errors="surrogateescape").decode(errors="backslashreplace")  # valid text for any bytes
        self.rows.writerow([name, *(cells or [""] * 2 * self.top_k), _one_line(fault)])


class JSONWriter(TableWriter):
    """Writes a list of `{"image": ..., "classes": [{"class": ..., "probability": ...}], "fault": ...}`."""

    def __init__(self, paths: list[str], class_names: list[str], top_k: int):
        self.before = "[\n"

    def write(self, path: str, ranking: Ranking, fault: str | None) -> None:
        """Writes an image's entry."""
        classes = [{"class": name, "probability": round(probability, 6)} for name, probability in ranking]
        entry = {"image": path, "classes": classes, "fault": _one_line(fault) or None}
        print(self.before + json.dumps(entry), end="")
        self.before = ",\n"

    def __exit__(self, *_: object) -> None:
        print("\n]")


def _one_line(fault: str | None) -> str:
    return " ".join((fault or "").split())


WRITERS: dict[str, Callable[[list[str], list[str], int], TableWriter]] = {
    "table": TableWriter,
    "csv": CSVWriter,
    "json": JSONWriter,
}

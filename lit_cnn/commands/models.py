"""Prints a table of all networks: paper, parameters, MACs and smallest image."""

import csv
import fnmatch
import json
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from lit_cnn.checks.text_table import text_table
from lit_cnn.cli.known_settings import family_of
from lit_cnn.commands.arguments import Parser, positive
from lit_cnn.errors import ConfigError, nearest

# The rows for the default settings, by scripts/make_model_table.py, since importing torch takes two seconds.
KEPT = Path(__file__).with_name("models.json")
TRAIN = "python -m lit_cnn fit recipes/cifar --model"
EPILOG = f"""To train one of them on CIFAR-10:
  {TRAIN} LitResNet --model.name resnet34

For networks without batch norm, use a tenth of the recipe's learning rate:
  --model.lr 0.02 --data.batch_size 128

--format csv and --format json print this command for each network.
"""
DEFAULTS: dict[str, Any] = {"image_size": 32, "in_channels": 3, "num_classes": 10, "stem": "auto"}


@dataclass(frozen=True)
class Row:
    """One network of the table."""

    name: str  # for `lit_cnn.models.create` and `--model.name`
    paper: str  # its authors
    year: int
    parameters: int | None  # with auxiliary heads; None if the images are too small
    macs: int | None  # MACs of convolutions and linear layers for the logits of one image; None likewise
    smallest: int  # shorter side of the smallest images that it takes, in pixels
    stems: dict[str, int]  # the same for each stem, if there is a choice
    link: str
    train: str  # the command that trains it on CIFAR-10


def main(argv: list[str]) -> None:
    """Prints the table."""
    parser = Parser("models", __doc__, EPILOG)
    parser.add_argument("pattern", nargs="?", default="*", help="names to show, such as 'vgg*_bn' or resnet")
    parser.add_argument("--image_size", type=positive, help="height and width of the images, in pixels")
    parser.add_argument("--in_channels", type=positive, help="channels of the images")
    parser.add_argument("--num_classes", type=positive, help="number of classes")
    parser.add_argument("--stem", choices=["imagenet", "small", "auto"], help="first layers, if there is a choice")
    parser.add_argument("--format", choices=["text", "csv", "json"], default="text", help="output format")
    parser.set_defaults(**DEFAULTS)
    given = parser.parse_args(argv)
    kept = {row["name"]: Row(**row) for row in json.loads(KEPT.read_text("utf-8"))}
    names = names_like(given.pattern, list(kept))
    if all(getattr(given, key) == value for key, value in DEFAULTS.items()):
        rows = [kept[name] for name in names]
    else:
        shape = (given.in_channels, given.image_size, given.image_size)
        rows = [row_of(name, shape, given.num_classes, given.stem) for name in names]
    if given.format == "json":
        print(json.dumps([asdict(row) for row in rows], indent=2))
    elif given.format == "csv":
        writer = csv.DictWriter(sys.stdout, [f.name for f in fields(Row)], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            stems = " ".join(f"{stem}:{pixels}" for stem, pixels in row.stems.items())
            writer.writerow(asdict(row) | {"stems": stems})
    else:
        _print_text(rows)


def names_like(pattern: str, names: list[str]) -> list[str]:
    """Returns the names that match a name, a part of one, or a pattern with `*`, `?` or `[`."""
    if pattern in names:
        return [pattern]
    is_part = not set(pattern) & set("*?[")
    found = [name for name in names if fnmatch.fnmatch(name, f"*{pattern}*" if is_part else pattern)]
    if not found:
        raise ConfigError(
            f"No network matches {pattern!r}.{nearest(pattern, names)} The networks are {', '.join(names)}."
        )
    return found


def row_of(name: str, shape: tuple[int, int, int], num_classes: int = 10, stem: str = "auto") -> Row:
    """Returns a network's row for images of this shape, from a network on the meta device."""
    import torch

    from lit_cnn import models
    from lit_cnn.models import layer_table

    entry = models.ARCHITECTURES[name]
    settings: dict[str, Any] = {"stem": stem} if entry.stems else {}
    parameters = macs = None
    with suppress(ValueError):  # the images are too small
        with torch.device("meta"):
            net = models.create(name, in_channels=shape[0], image_size=shape[1:], num_classes=num_classes, **settings)
        parameters = sum(p.numel() for p in net.parameters())
        macs = layer_table.macs_of(net, shape)
    family, named = family_of(name) or ("LitClassifier", {})
    train = " ".join([f"{TRAIN} {family}", *(f"--model.{key} {value}" for key, value in named.items())])
    return Row(name, entry.paper, entry.year, parameters, macs, entry.smallest, dict(entry.stems), entry.link, train)


def _print_text(rows: list[Row]) -> None:
    table: list[tuple[str, ...]] = [("name", "paper", "parameters", "MACs", "smallest image", "stems")]
    for row in rows:
        counts = ["too small" if n is None else f"{n:,}" for n in (row.parameters, row.macs)]
        stems = ", ".join(f"{stem} from {pixels}" for stem, pixels in row.stems.items())
        table.append((row.name, f"{row.paper} {row.year}", *counts, f"{row.smallest} x {row.smallest}", stems))
    print(text_table(table, right=(2, 3, 4)))

"""Writes the report of one run or of many: metrics with intervals, tests, training curves, cost, mistakes."""

from pathlib import Path
from typing import Any

from lit_cnn.checks.text_table import text_table
from lit_cnn.cli.shipped_configs import shipped_experiments
from lit_cnn.commands.arguments import Parser
from lit_cnn.errors import ConfigError, nearest

FORMATS = ("html", "md", "tex", "csv")
EPILOG = """Of one run: result with intervals, curves, classes, most confident mistakes, filters, cost, config. For this
its best checkpoint is applied to the test images once more. Test images whose labels are likely wrong, and
near-duplicates, are tables; --all_images looks for them among training and validation images too. Of several runs,
made by `ablate` or not: runs that differ in their seed alone are one variant; mean, spread and interval of each, paired
tests between them, curves, accuracy against cost, what differs between the configs. Runs of different datasets are
shown apart.

report.html needs no network and no other file. report.md and report.tex have their pictures in report_files.

examples:
  python -m lit_cnn report logs/quickstart/version_0
  python -m lit_cnn report logs/quickstart/version_0 --all_images
  python -m lit_cnn report exercise                        # logs/exercise, as `ablate exercise` left it
  python -m lit_cnn report my_experiment.yaml              # logs/my_experiment, likewise
  python -m lit_cnn report logs/vgg_cifar logs/resnet18_cifar --output comparison --format html tex
"""


def main(argv: list[str]) -> None:
    """Writes the report."""
    parser = Parser("report", __doc__, EPILOG)
    parser.add_argument("runs", nargs="+", help="runs' folders, folders above them, or an experiment's name or file")
    add_output(parser, "the first one given", None)
    parser.add_argument("--baseline", help="variant that all others are compared with (default: pairs in one axis)")
    also = "look for likely wrong labels and near-duplicates among training and validation images too (one run)"
    parser.add_argument("--all_images", action="store_true", help=also)
    given = parser.parse_args(argv)
    paths = [_folder(name) for name in given.runs]

    from lit_cnn.reports.document import Table
    from lit_cnn.reports.many_runs import report_of_many
    from lit_cnn.reports.one_run import report_of_one
    from lit_cnn.runs.record import runs_in

    runs = runs_in(paths)
    if len(runs) == 1 and not runs[0].labels:
        document, folder = report_of_one(runs[0], given.data_dir, given.all_images), runs[0].folder
    else:
        document, folder = report_of_many(", ".join(path.name for path in paths), runs, given.baseline), paths[0]
    table = next((block for block in document.blocks if isinstance(block, Table) and len(block.head) > 2), None)
    write_report(document, table, given.output or folder, "report", given.format)


def add_output(parser: Parser, default: str, folder: Path | None) -> None:
    """Adds the arguments on what to write and where the data lie."""
    parser.add_argument("--output", type=Path, default=folder, help=f"folder to write to (default {default})")
    parser.add_argument("--format", nargs="+", choices=FORMATS, default=FORMATS, help="(default all)")
    parser.add_argument("--data_dir", type=Path, help="where the data lie now, if not where the config says")


def write_report(document: Any, table: Any, folder: Path, name: str, formats: list[str], *texts: str) -> None:
    """Prints the main table and texts of a document, and writes its files."""
    from lit_cnn.reports.writers import write

    if table:
        print(text_table([table.head, *table.rows], range(1, len(table.head))))
    for text in (*texts, *write(document, folder, name, list(formats))):
        print(text)


def _folder(name: str) -> Path:
    """Returns the folder of runs for an argument: a folder, or an experiment's name or file."""
    path = Path(name)
    if path.is_dir():
        return path
    experiment = path.stem if path.suffix in (".yaml", ".yml") else path.name
    folder = Path("logs") / experiment
    if folder.is_dir():
        return folder
    if path.is_file() or experiment in shipped_experiments():
        given = name if path.is_file() else experiment
        raise ConfigError(f"{folder}: there are no runs yet. python -m lit_cnn ablate {given} makes them.")
    known = [each.name for each in Path("logs").glob("*") if each.is_dir()]
    raise ConfigError(f"{name}: there are no such runs.{nearest(name, known)} Give a run's folder or an experiment.")

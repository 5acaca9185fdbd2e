"""Writes a report of one or many runs: accuracy with intervals, tests, training curves, cost, mistakes."""

from pathlib import Path
from typing import Any

from lit_cnn.checks.text_table import text_table
from lit_cnn.cli.shipped_configs import shipped_experiments
from lit_cnn.commands.arguments import Parser
from lit_cnn.errors import ConfigError, nearest
from lit_cnn.runs.record import runs_in

FORMATS = ("html", "md", "tex", "csv")
EPILOG = """The report of one run shows results with intervals, training curves, the accuracy of each class, the most
confident mistakes, the filters of the first layer, the cost and the config. The best checkpoint is tested again for it.
Two tables list images whose label may be wrong, and images that are almost equal. --all_images looks for them among the
training and validation images too.

In the report of several runs, runs that differ only in their seed are one variant. It shows mean, standard deviation
and interval of each variant, paired tests, training curves, accuracy against cost, and the settings that differ. Each
dataset has its own section.

report.html is a single file that works offline. The pictures of report.md and report.tex are in report_files.

examples:
  python -m lit_cnn report logs/quickstart/version_0
  python -m lit_cnn report exercise             # the runs in logs/exercise
  python -m lit_cnn report my_experiment.yaml   # those in logs/my_experiment
  python -m lit_cnn report logs/vgg_cifar logs/resnet18_cifar --output two
"""


def main(argv: list[str]) -> None:
    """Writes the report."""
    parser = Parser("report", __doc__, EPILOG)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders with runs, or an experiment's name or file")
    add_output(parser, "the first RUN", None)
    parser.add_argument("--baseline", help="compare all variants with this one (default: pairs within one axis)")
    also = "look for wrong labels and near-duplicates in training and validation images too (one run only)"
    parser.add_argument("--all_images", action="store_true", help=also)
    given = parser.parse_args(argv)
    paths = [_folder(name) for name in given.runs]
    runs = runs_in(paths)

    from lit_cnn.reports.document import Table
    from lit_cnn.reports.many_runs import report_of_many
    from lit_cnn.reports.one_run import report_of_one

    if len(runs) == 1 and not runs[0].labels:
        document, folder = report_of_one(runs[0], given.data_dir, given.all_images), runs[0].folder
    else:
        document, folder = report_of_many(", ".join(path.name for path in paths), runs, given.baseline), paths[0]
    table = next((block for block in document.blocks if isinstance(block, Table) and len(block.head) > 2), None)
    write_report(document, table, given.output or folder, "report", given.format)


def add_output(parser: Parser, default: str, folder: Path | None) -> None:
    """Adds the arguments for the output and the folder of the dataset."""
    parser.add_argument("--output", type=Path, default=folder, help=f"folder to write to (default {default})")
    kinds = f"{', '.join(FORMATS)}; one or more of them (default: all)"
    parser.add_argument("--format", nargs="+", metavar="FORMAT", choices=FORMATS, default=FORMATS, help=kinds)
    parser.add_argument("--data_dir", type=Path, help="folder of the dataset, if it is no longer where the config says")


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
        raise ConfigError(f"{folder}: there are no runs yet. Start them: python -m lit_cnn ablate {given}")
    known = [each.name for each in Path("logs").glob("*") if each.is_dir()]
    raise ConfigError(
        f"{name}: there are no such runs.{nearest(name, known)} Give the folder of a run, or an experiment."
    )

"""Compares two runs on the same test images, and shows where they disagree."""

from pathlib import Path

from lit_cnn.checks.text_table import text_table
from lit_cnn.commands.arguments import RUN, Parser
from lit_cnn.commands.report import FORMATS
from lit_cnn.errors import CheckpointError

EPILOG = """What differs between the configs, the figures beside each other, McNemar's exact test over the test images,
each class, curves, and the images that one has right and the other wrong.

example:
  python -m lit_cnn compare logs/mlp_mnist/version_0 logs/cnn_mnist/version_0
"""


def main(argv: list[str]) -> None:
    """Writes the comparison.

    Raises:
        LitCNNError: If an argument is wrong, a run is missing, or the two cannot be compared.
    """
    parser = Parser("compare", __doc__, EPILOG)
    parser.add_argument("a", help=RUN)
    parser.add_argument("b", help="the other one")
    parser.add_argument("--output", type=Path, default=Path("comparison"), help="folder to write to (comparison)")
    parser.add_argument("--format", nargs="+", choices=FORMATS, default=FORMATS, help="(default all)")
    parser.add_argument("--data_dir", type=Path, help="where the data lie now, if not where the configs say")
    given = parser.parse_args(argv)

    from lit_cnn.reports.document import Paragraph, Table
    from lit_cnn.reports.two_runs import comparison
    from lit_cnn.reports.writers import write
    from lit_cnn.runs.folder import find_run
    from lit_cnn.runs.record import run_at

    folders = [find_run(path) for path in (given.a, given.b)]
    for folder in folders:
        if not folder.is_dir():
            raise CheckpointError(f"{folder} is a checkpoint's file. `compare` needs the folder of its run.")
    document = comparison([run_at(folder) for folder in folders], given.data_dir)
    figures = next(block for block in document.blocks if isinstance(block, Table))
    print(text_table([figures.head, *figures.rows], range(1, len(figures.head))))
    print(next(block.text for block in document.blocks if isinstance(block, Paragraph) and "McNemar" in block.text))
    for path in write(document, given.output, "compare", list(given.format)):
        print(path)

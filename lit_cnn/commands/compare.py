"""Compares two runs on the same test images, and shows where they disagree."""

from pathlib import Path

from lit_cnn.commands.arguments import RUN, Parser
from lit_cnn.commands.report import add_output, write_report
from lit_cnn.errors import CheckpointError
from lit_cnn.runs.folder import find_run
from lit_cnn.runs.record import run_at

EPILOG = """The page shows the settings that differ, both results, McNemar's exact test over the test images, the
accuracy of each class, training curves, and the images that only one of the two networks classifies correctly.

example:
  python -m lit_cnn compare logs/mlp_mnist/version_0 logs/cnn_mnist/version_0
"""


def main(argv: list[str]) -> None:
    """Writes the comparison."""
    parser = Parser("compare", __doc__, EPILOG)
    parser.add_argument("a", help=RUN)
    parser.add_argument("b", help="the other run")
    add_output(parser, "comparison", Path("comparison"))
    given = parser.parse_args(argv)
    folders = [find_run(path) for path in (given.a, given.b)]
    for folder in folders:
        if not folder.is_dir():
            raise CheckpointError(f"{folder} is a checkpoint. `compare` needs the folder of its run.")

    from lit_cnn.reports.document import Paragraph, Table
    from lit_cnn.reports.two_runs import comparison

    document = comparison([run_at(folder) for folder in folders], given.data_dir)
    table = next(block for block in document.blocks if isinstance(block, Table))
    test = next(block.text for block in document.blocks if isinstance(block, Paragraph) and "McNemar" in block.text)
    write_report(document, table, given.output, "compare", given.format, test)

"""Runs the notebooks, each from a fresh kernel in an empty folder, and keeps what they print and draw.

python scripts/make_notebooks.py                          # all of docs/notebooks; takes minutes
python scripts/make_notebooks.py docs/notebooks/1_permutation.ipynb
"""

import argparse
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"


def run(path: Path, folder: Path, **parameters: Any) -> nbformat.NotebookNode:
    """Returns a notebook with the outputs of a run from a fresh kernel in a folder.

    Args:
        path: The notebook.
        folder: Where its files go.
        **parameters: Other values for the names in the cell that is tagged `parameters`.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    unknown = [name for name in parameters if not re.search(rf"^{name} = ", cell.source, re.MULTILINE)]
    assert not unknown, f"{path.name} has no parameters {unknown}"
    written, lines = cell.source, [f"{name} = {value!r}" for name, value in parameters.items()]
    cell.source = "\n".join([written, *lines])
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute()
    cell.source = written
    return notebook


def tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Removes what differs from run to run and from machine to machine."""
    notebook.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = {name: value for name, value in cell.metadata.items() if name == "tags"}
    return notebook


def main() -> None:
    """Runs the notebooks that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted(FOLDER.glob("*.ipynb")))
    given = parser.parse_args()
    for path in given.notebooks:
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            notebook = tidy(run(path, Path(folder)))
        nbformat.write(notebook, path)
        print(f"{path.name}: {time.perf_counter() - began:.0f} s, {path.stat().st_size / 1e3:.0f} kB", flush=True)


if __name__ == "__main__":
    main()

"""The notebooks run from a fresh kernel, and the figures in them are those of a run."""

import ast
import re

import pytest

pytest.importorskip("nbclient", reason="needs nbclient: pip install -e '.[test]'")
pytest.importorskip("ipykernel", reason="needs ipykernel: pip install -e '.[test]'")

import nbformat

from scripts.make_address import repository
from scripts.make_notebooks import FOLDER, run, tidy

ROOT = FOLDER.parents[1]
# Fewer steps than a reader takes; the first notebook compares its figures itself.
SHORT = {
    "1_permutation": {"EPOCHS": 1},
    "2_history": {"EPOCHS": 1, "BATCHES": 0.05},
    "3_your_photos": {"EPOCHS": 2},
}
NOTEBOOKS = {path.stem: nbformat.read(path, as_version=4) for path in sorted(FOLDER.glob("*.ipynb"))}


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", SHORT)
def test_notebook_runs_from_a_fresh_kernel_in_fewer_steps(name, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = run(FOLDER / f"{name}.ipynb", tmp_path, **SHORT[name])
    assert all(cell.execution_count for cell in code(done))


def test_every_notebook_is_run():
    assert set(NOTEBOOKS) == set(SHORT)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_holds_its_outputs_and_is_small(name):
    notebook = NOTEBOOKS[name]
    assert notebook == tidy(nbformat.read(FOLDER / f"{name}.ipynb", as_version=4))
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    outputs = [output for cell in code(notebook) for output in cell.outputs]
    assert [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"] == []
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert (FOLDER / f"{name}.ipynb").stat().st_size < 400_000


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_opens_in_colab_and_installs_in_one_line(name):
    first, second = NOTEBOOKS[name].cells[:2]
    assert f"colab.research.google.com/github/{repository()}/blob/main/docs/notebooks/{name}.ipynb" in first.source
    installs = [line for line in second.source.splitlines() if "pip install" in line]
    assert len(installs) == 1
    assert f"git+https://github.com/{repository()}" in installs[0]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_commands_in_the_text_name_verbs_that_exist(name):
    from lit_cnn.cli.main import COMMANDS, VERBS

    text = " ".join(cell.source for cell in NOTEBOOKS[name].cells if cell.cell_type == "markdown")
    verbs = re.findall(r"python -m lit_cnn (\w+)", " ".join(text.split()))
    assert verbs
    assert set(verbs) <= {*VERBS, *COMMANDS}


def test_cells_are_python():
    for notebook in NOTEBOOKS.values():
        for cell in code(notebook)[1:]:
            ast.parse(cell.source)

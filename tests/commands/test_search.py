"""`search`: Optuna over the axes of an experiment, by the validation images alone."""

import json
import re
import sys
from pathlib import Path

import pytest
import yaml

SETTINGS = {
    "model": "LitMLP", "model.hidden": [8], "data": "SyntheticDataModule", "data.image_size": 12,
    "data.num_classes": 3, "data.train_images": 256, "data.test_images": 60, "trainer.accelerator": "cpu",
    "trainer.max_epochs": 1, "pictures.enabled": False,
}  # fmt: skip


@pytest.fixture
def rates(tmp_path):
    """Learning rates of which one learns at once and the other hardly."""
    axes = {"model.lr": [1e-7, 0.01], "data.batch_size": [32, 64]}
    (tmp_path / "rates.yaml").write_text(yaml.safe_dump({"settings": SETTINGS, "axes": axes, "seeds": 1}))
    return "rates.yaml"


@pytest.mark.slow
def test_search_ends_after_the_given_trials_and_resumes_with_more(rates, processes, lit_cnn):
    def written():
        return {path.parts[2]: path.stat().st_mtime_ns for path in Path("logs").glob("rates/*/version_0/results.json")}

    code, out = processes.run("search", rates, "--trials", "2")
    assert code == 0, out
    assert "best of 2 variants tried, 4 in total" in out
    assert len(first := written()) == 2
    code, out = processes.run("search", rates, "--trials", "4")
    assert code == 0, out
    runs = written()
    assert first.items() < runs.items()  # it goes on where it was
    values = {
        name: json.loads(Path(f"logs/rates/{name}/version_0/results.json").read_text())["val/acc"] for name in runs
    }
    found = re.search(
        rf"best of {len(runs)} variants tried, 4 in total: (\S+), val/acc {max(values.values()):.2%}", out
    )[1]
    assert values[f"{found}-seed0"] == max(values.values())
    assert "lr=0.01" in found
    again = lit_cnn("search", rates, "--trials", "4")
    assert again.code == 0, again.err
    assert again.out.splitlines()[-4:] == out.splitlines()[-4:]
    assert written() == runs


def test_bad_input_ends_in_a_sentence(rates, lit_cnn, monkeypatch):
    for argv, message in (
        (
            ("search", rates, "--trials", "0"),
            "search: argument --trials: 0 is not a whole number above 0. See python -m",
        ),
        (("search", "nothing.yaml"), "nothing.yaml: there is no such experiment"),
        (
            ("search", rates, "--data.val_size", "0"),
            "data.val_size is 0, so there are no validation images to compare variants",
        ),
    ):
        outcome = lit_cnn(*argv)
        assert (outcome.code, message in outcome.err) == (2, True), outcome.err
    monkeypatch.setitem(sys.modules, "optuna", None)
    outcome = lit_cnn("search", rates)
    assert (outcome.code, "pip install 'lit-cnn[search]'" in outcome.err) == (2, True)

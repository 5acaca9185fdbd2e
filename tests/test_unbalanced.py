"""Classes that are not balanced, from the command line: weights, sampling, macro figures in results and reports."""

import json
from pathlib import Path

import pytest

from tests.data.test_layouts import COLOURS, save

FIT = (
    "fit", "--model", "LitMLP", "--data", "ImageFolderDataModule", "--data.data_dir", "mine", "--data.batch_size", "8",
    "--trainer.max_epochs", "2", "--trainer.accelerator", "cpu", "--pictures.enabled", "false", "--name", "a",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _few_red_images(tmp_path):
    for (name, colour), n in zip(COLOURS.items(), (30, 12, 4), strict=True):
        for i in range(n):
            save(tmp_path / "mine" / name / f"{i:02}.png", colour)


@pytest.mark.parametrize("remedy", [("--model.class_weights", "{red: 5.5}"), ("--data.sampling", "balanced")])
def test_a_run_has_macro_figures_and_chooses_by_them(lit_cnn, remedy):
    outcome = lit_cnn(*FIT, *remedy, "--checkpoint.monitor", "val/f1")
    assert outcome.code == 0, outcome.err
    results = json.loads(Path("logs/a/version_0/results.json").read_text())
    assert {"val/f1", "test/f1", "val/acc_macro", "test/acc_macro"} <= set(results)
    assert {f"test/{kind}_of/red" for kind in ("acc", "precision", "f1")} <= set(results)
    assert results["monitor"] == "val/f1"
    assert results["class_images/largest"] > 6 * results["class_images/smallest"]
    assert "\nmacro  acc " in outcome.out


def test_a_report_has_macro_figures(lit_cnn):
    assert lit_cnn(*FIT, "--model.class_weights", "balanced").code == 0
    assert lit_cnn("report", "logs/a/version_0").code == 0
    assert "macro F1" in Path("logs/a/version_0/report.md").read_text()


@pytest.mark.parametrize(
    ("given", "message"), [("{rde: 5}", "not a class. Did you mean 'red'?"), ("[1, 2]", "3 classes")]
)
def test_weights_that_do_not_fit_are_refused_before_the_first_step(lit_cnn, given, message):
    outcome = lit_cnn(*FIT, "--model.class_weights", given)
    assert outcome.code == 2
    assert message in outcome.err
    assert not Path("logs/a").exists()


def test_a_resume_and_a_test_take_the_split_of_the_run(lit_cnn):
    assert lit_cnn(*FIT).code == 0
    run = Path("logs/a/version_0")
    split = (run / "split.csv").read_text()
    for i in range(6):
        save(Path("mine/red") / f"new{i}.png", COLOURS["red"])
    outcome = lit_cnn("test", run)
    assert outcome.code == 0, outcome.err
    before, now = (json.loads(Path(f"logs/a/{name}/results.json").read_text()) for name in ("version_0", "test_0"))
    assert [now[name] for name in ("test/correct", "test_images")] == [
        before[n] for n in ("test/correct", "test_images")
    ]
    resumed = lit_cnn("fit", "--resume", run, "--trainer.max_epochs", 3)
    assert resumed.code == 0, resumed.err
    assert "6 images are not in" in resumed.out
    assert (run / "split.csv").read_text() == split

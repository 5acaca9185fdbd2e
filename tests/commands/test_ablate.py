"""`ablate`: every cell runs once, and equals a single `fit`, whichever process is killed."""

import json
import os
import re
import signal
import statistics
import time
from pathlib import Path

import pytest
import yaml
from conftest import run_together
from large import marked

from lit_cnn.checks.cost import Length
from lit_cnn.cli.shipped_configs import shipped_experiments
from lit_cnn.commands import ablate
from lit_cnn.commands.ablate import table
from lit_cnn.errors import ConfigError
from lit_cnn.experiments.cells import Cell
from lit_cnn.experiments.grid import read_experiment
from lit_cnn.experiments.plan import plan
from lit_cnn.experiments.side_by_side import Shares
from lit_cnn.runs.settings import decisive

TINY = {
    "settings": {
        "data": "SyntheticDataModule", "data.image_size": 12, "data.num_classes": 3, "data.train_images": 256,
        "data.test_images": 60, "trainer.accelerator": "cpu", "trainer.max_epochs": 2, "pictures.enabled": False,
    },
    "axes": {
        "network": {"MLP": {"model": "LitMLP", "model.hidden": [8]}, "wide": {"model": "LitMLP", "model.hidden": [16]}},
        "data.permute": [False, True],
    },
    "seeds": 2,
}  # fmt: skip


@pytest.fixture
def tiny(tmp_path):
    def write(**changes):
        content = {**TINY, **changes}
        (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        return "tiny.yaml"

    return write


def figures(folder):
    """The results of each run, without its times."""
    runs = {}
    for path in sorted(Path(folder).glob("*/version_*/results.json")):
        values = json.loads(path.read_text())
        name = f"{path.parts[-3]}/{path.parts[-2]}"
        runs[name] = {key: value for key, value in values.items() if not key.endswith("seconds") and key != "name"}
    return runs


def table_of(out):
    return out[out.index("\ncell") : out.index("\nruns in")]


def test_grid_is_every_combination_in_the_order_of_the_file(tiny):
    experiment = read_experiment(tiny())
    names = ["MLP_permute=false", "MLP_permute=true", "wide_permute=false", "wide_permute=true"]
    assert [variant.name for variant in experiment.variants] == names
    assert experiment.seeds == [0, 1]
    assert experiment.variants[1].labels == {"network": "MLP", "data.permute": "permute=true"}
    assert experiment.variants[1].argv[-3:] == ["--model=LitMLP", "--model.hidden=[8]", "--data.permute=true"]


def test_later_configs_go_on_top(tmp_path):
    Path("e.yaml").write_text("config: [quickstart, overlays/debug]\naxes: {a: {b: {config: mlp_mnist, model.lr: 1}}}")
    assert read_experiment("e.yaml").variants[0].argv == [
        *("--config", "quickstart", "--config", "overlays/debug", "--config", "mlp_mnist", "--model.lr=1")
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("axis: {}", r"Unknown key axis \(e.yaml\). Did you mean 'axes'\? The keys are config"),
        ("[1]", "e.yaml is not a valid experiment"),
        ("axes: {a: 3}", "axes.a: 3 .* has to be a list of values, or variants"),
        ("axes: {a: {b: 3}}", "axes.a.b: 3 .* has to be a mapping"),
        ("seeds: [1, 1]", r"seeds: \[1, 1\] .* has to be a number of seeds, 1 or more, or a list"),
        ("seeds: 0", "seeds: 0 .* has to be a number"),
        ("axes: {a: [1, 1]}", "two cells would have the name a=1"),
        ("a: [", "e.yaml is not valid YAML"),
    ],
)
def test_a_file_that_is_not_an_experiment_is_refused(text, message):
    Path("e.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_experiment("e.yaml")


def test_unknown_experiment_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"no such experiment. Did you mean 'exercise'\?"):
        read_experiment("exercize")


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"data.permut": [True]}, "Unknown key data.permut: true (tiny.yaml). Did you mean 'permute'?"),
        ({"trainer.max_epochs": [1, "many"]}, "trainer.max_epochs: many (tiny.yaml) has to be"),
    ],
)
def test_wrong_axis_is_found_before_any_cell_runs(tiny, lit_cnn, axes, message):
    network = {"network": {"MLP": {"model": "LitMLP"}}}
    outcome = lit_cnn("ablate", tiny(axes=network | axes))
    assert outcome.code == 2
    assert message in outcome.err
    assert not Path("logs").exists()


def test_a_wrong_flag_is_told_as_one_and_not_as_the_file(tiny, lit_cnn):
    for flags, said in (
        (("--threads", "x"), "error: threads: x (command line) has to be a whole number or null.\n"),
        (("--data.batch_sise", "3"), "error: Unknown key data.batch_sise: 3 (command line). Did you mean"),
    ):
        outcome = lit_cnn("ablate", tiny(), *flags)
        assert outcome.code == 2
        assert outcome.err.startswith(said)


def test_the_singular_of_a_flag_is_told_with_the_flag(tiny, lit_cnn):
    for flag in (("--seed", "3"), ("--seed=3",), ("--job", "2")):
        outcome = lit_cnn("ablate", tiny(axes={"network": {"MLP": {"model": "LitMLP"}}}), *flag)
        assert outcome.code == 2
        assert f"Did you mean {flag[0].partition('=')[0]}s?" in outcome.err


def test_flags_may_not_override_the_experiment(tiny, lit_cnn):
    outcome = lit_cnn("ablate", tiny(), "--data.permute", "true")
    assert (outcome.code, "--data.permute is an axis of tiny.yaml" in outcome.err) == (2, True)
    outcome = lit_cnn("ablate", tiny(), "--name", "x")
    assert (outcome.code, "--name cannot be set" in outcome.err) == (2, True)


def test_cells_equal_fit_alone_and_finished_ones_stay(tiny, lit_cnn, processes):
    networks = {"network": TINY["axes"]["network"]}
    code, out = processes.run("ablate", tiny(axes=networks))
    assert code == 0, out
    runs = figures("logs/tiny")
    assert len(runs) == 4
    plan = json.loads(Path("logs/tiny/plan.json").read_text())["cells"]
    assert [cell["name"] for cell in plan if Path(cell["folder"]).is_dir()] == [cell["name"] for cell in plan]
    for cell in (plan[0], plan[-1]):  # the last one had three before it
        argv = [*cell["argv"][: cell["argv"].index("--name")], "--name", f"alone-{cell['name']}"]
        assert lit_cnn("fit", *argv, "--trainer.default_root_dir", "other").code == 0
        alone = figures("other")[f"alone-{cell['name']}/version_0"]
        assert alone == runs[f"{cell['name']}/version_0"]
    values = [100 * runs[f"MLP-seed{seed}/version_0"]["test/acc"] for seed in (0, 1)]
    row = f"{statistics.mean(values):.2f} +- {statistics.stdev(values):5.2f}"
    assert row in next(line for line in out.splitlines() if line.startswith("MLP "))

    before = {path: path.stat().st_mtime_ns for path in Path("logs/tiny").glob("*/version_*/*")}
    again = lit_cnn("ablate", tiny(axes=networks))
    assert again.code == 0, again.err
    assert table_of(again.out) == table_of(out)
    assert {path: path.stat().st_mtime_ns for path in Path("logs/tiny").glob("*/version_*/*")} == before
    # An edited experiment: other cells, in other runs, and a table of their own.
    other = tiny(axes=networks, settings={**TINY["settings"], "model.lr": 0.1})
    edited = lit_cnn("ablate", other, "--dry_run")
    assert (edited.code, "4 cells, 0 finished" in edited.out) == (0, True)


@pytest.mark.slow
def test_two_invocations_run_every_cell_once(tiny):
    outs = run_together(2, "ablate", tiny(seeds=1))
    assert len(figures("logs/tiny")) == 4
    assert len(list(Path("logs/tiny").glob("*/version_*"))) == 4
    assert table_of(outs[0]) == table_of(outs[1])


@pytest.mark.slow
def test_killed_grid_resumes_and_ends_like_an_uninterrupted_one(tiny, processes):
    longer = {**TINY["settings"], "trainer.max_epochs": 6}
    file = tiny(settings=longer, seeds=1)
    code, whole = processes.run("ablate", file, "--trainer.default_root_dir", "whole")
    assert code == 0, whole
    processes.start("ablate", file, "--jobs", "1")
    processes.wait_for_file("logs/tiny/MLP_permute=true-seed0/version_0/checkpoints/last.ckpt")
    os.kill(processes.pid, signal.SIGKILL)
    assert processes.wait()[0] == -signal.SIGKILL
    time.sleep(0.5)
    assert len(figures("logs/tiny")) in (1, 2)
    finished = Path("logs/tiny/MLP_permute=false-seed0/version_0/results.json")
    before = finished.stat().st_mtime_ns
    code, out = processes.run("ablate", file)
    assert code == 0, out
    assert finished.stat().st_mtime_ns == before
    assert figures("logs/tiny") == figures("whole/tiny")
    assert table_of(out) == table_of(whole)


@pytest.mark.slow
def test_ctrl_c_stops_the_grid_and_says_how_to_resume(tiny, processes):
    processes.start("ablate", tiny(settings={**TINY["settings"], "trainer.max_epochs": 500}))
    processes.wait_for_file("logs/tiny/MLP_permute=false-seed0/version_0/checkpoints/last.ckpt")
    os.kill(processes.pid, signal.SIGINT)
    code, out = processes.wait()
    assert code == 130
    assert "to resume:\npython -m lit_cnn ablate tiny.yaml" in out
    assert "stopped after step" in Path("logs/tiny/MLP_permute=false-seed0/output.txt").read_text()


def test_failed_cell_is_noted_and_the_others_run(tiny, processes):
    variants = {"sound": {"model.lr": 0.01}, "broken": {"model.lr": 1e38}}
    settings = {**TINY["settings"], "model": "LitMLP", "model.optimizer": "SGD"}
    code, out = processes.run("ablate", tiny(settings=settings, axes={"lr": variants}, seeds=1), "--jobs", "2")
    assert code == 5, out
    assert "1 of 2 cells failed. broken-seed0: " in out
    failure = json.loads(Path("logs/tiny/broken-seed0/failure.json").read_text())
    assert failure["exit_code"] == 5
    assert list(figures("logs/tiny")) == ["sound-seed0/version_0"] or "sound-seed0/version_0" in figures("logs/tiny")


def test_table_says_how_many_seeds_are_missing(tmp_path):
    config = {"seed_everything": 0, "test_after_fit": True}
    cells = [Cell(f"a-seed{s}", "a", {}, s, tmp_path, [], [], config | {"seed_everything": s}) for s in range(3)]
    for cell, accuracy in zip(cells[:2], (0.5, 0.7), strict=True):
        run = cell.folder / "version_0"
        run.mkdir(parents=True)
        (run / "config.yaml").write_text(yaml.safe_dump(cell.config))
        (run / "results.json").write_text(json.dumps({"test/acc": accuracy}))
    assert table(cells).splitlines()[1].split() == ["a", "60.00", "+-", "14.14", "2", "of", "3"]


def test_settings_without_effect_make_no_other_cell():
    data = {"class_path": "D", "init_args": {"batch_size": 1, "data_dir": "a"}}
    here = {"data": data, "trainer": {"max_epochs": 1, "default_root_dir": "x"}}
    there = {"data": {**data, "init_args": {"batch_size": 1, "data_dir": "b"}}, "trainer": {"max_epochs": 1}}
    assert decisive(here) == decisive(there)
    assert decisive(here) != decisive({**there, "trainer": {"max_epochs": 2}})


def test_what_changes_the_result_makes_another_cell():
    data = {"class_path": "lit_cnn.ImageFolderDataModule", "init_args": {"data_dir": "a"}}
    config = {"data": data, "checkpoint": {"monitor": "val/acc", "mode": "max", "filename": "best"}}
    assert decisive(config) != decisive(config | {"data": data | {"init_args": {"data_dir": "b"}}})
    assert decisive(config) != decisive(config | {"checkpoint": {"monitor": "val/nll", "mode": "min"}})
    assert decisive(config) == decisive(config | {"checkpoint": {"monitor": "val/acc", "mode": "max"}})


@pytest.mark.slow
def test_jobs_of_a_cluster_share_the_cells(tiny, processes):
    code, out = processes.run("ablate", tiny(seeds=1), "--submit", "2", "--submit_args", "{cluster: local}")
    assert code == 0, out
    assert "4 cells, 0 finished\nsubmitted " in out
    stop = time.monotonic() + 120
    while len(figures("logs/tiny")) < 4:
        assert time.monotonic() < stop, [path.read_text() for path in Path("logs/tiny/jobs").glob("*.err")]
        time.sleep(0.2)
    assert sorted(figures("logs/tiny")) == [
        f"{name}_permute={p}-seed0/version_0" for name in ("MLP", "wide") for p in ("false", "true")
    ]


def test_what_a_cluster_cannot_take_is_refused(tiny, lit_cnn):
    outcome = lit_cnn("ablate", tiny(seeds=1), "--submit", "1", "--submit_args", "{cluster: nowhere}")
    assert (outcome.code, "--submit_args {cluster: nowhere}: " in outcome.err) == (2, True)
    outcome = lit_cnn("ablate", tiny(), "--submit", "1", "--submit_args", "fast")
    assert "--submit_args fast: has to be a mapping" in outcome.err
    outcome = lit_cnn("ablate", tiny(), "--submit", "0")
    assert (
        "ablate: argument --submit: 0 is not a whole number above 0. See python -m lit_cnn ablate --help."
        in outcome.err
    )


def test_time_of_a_grid_is_known_before_it_begins(tiny, lit_cnn):
    outcome = lit_cnn("ablate", tiny(seeds=1), "--dry_run")
    assert outcome.code == 0, outcome.err
    seconds = int(re.search(r"4 cells, 0 finished; about (\d+) s left", outcome.out)[1])
    assert 0 <= seconds < 120  # 4 cells of 8 steps of a network with a thousand parameters
    assert not Path("logs").exists()
    longer = tiny(seeds=1, settings={**TINY["settings"], "trainer.max_epochs": 20_000})
    found = lit_cnn("ablate", longer, "--dry_run").out
    assert int(re.search(r"about (\d+) s left", found)[1]) > 10 * max(seconds, 1)


@pytest.mark.parametrize(("finished", "seconds"), [((), "27 s"), (("a",), "33 s"), (("a", "b"), "36 s")])
def test_the_start_up_of_a_cell_counts_whether_its_time_is_measured_or_estimated(
    tmp_path, monkeypatch, finished, seconds
):
    """A run trains for 4 s by its steps, for 7 s in truth, and starts for 5 s; three cells are left of two variants."""
    config = {"test_after_fit": False, "data": {}, "trainer": {}}
    cells = [Cell(f"{v}{s}", v, {}, s, tmp_path, [], [], config | {"x": v}) for v in "ab" for s in range(3)]
    done = [cell for cell in cells if cell.variant in finished][::3]
    monkeypatch.setattr(Cell, "results", lambda cell: {"fit_seconds": 7.0} if cell in done else None)
    monkeypatch.setattr(ablate, "apart", lambda _: Length(epochs=2, steps=4, step=0.5, start_up=5))
    todo = [cells[1], cells[2], cells[4]]
    said = ablate._time_left(cells, todo, Shares(jobs=1, threads=None, gpus=0), dry_run=True)
    assert said == f"about {seconds} left, not counting the tests"


@pytest.mark.parametrize("name", shipped_experiments())
def test_shipped_experiment_has_a_head(name):
    head = [line for line in shipped_experiments()[name].read_text().splitlines() if line.startswith("#")]
    assert any(f"python -m lit_cnn ablate {name}" in line for line in head)


MANY_VARIANTS = shipped_experiments().keys() - {"exercise", "augmentation"}  # each takes a parser


@pytest.mark.parametrize("name", marked(shipped_experiments(), MANY_VARIANTS))
def test_shipped_experiment_has_sound_configs(name):
    experiment = read_experiment(name)
    assert len(plan(experiment, [])) == len(experiment.variants) * len(experiment.seeds)


@pytest.mark.slow
@pytest.mark.realdata
def test_exercise_on_real_mnist(shared_data, processes):
    """One seed: the CNN is better than the fully connected net, until the pixels are permuted."""
    code, out = processes.run("ablate", "exercise", "--seeds", "1", "--data.data_dir", shared_data)
    assert code == 0, out
    found = figures("logs/exercise")
    accuracy = {name.partition("-seed")[0]: 100 * values["test/acc"] for name, values in found.items()}
    assert accuracy["CNN_permute=false"] > 93
    assert 84 < accuracy["MLP_permute=false"] < 91
    assert abs(accuracy["MLP_permute=false"] - accuracy["MLP_permute=true"]) < 4
    assert accuracy["CNN_permute=false"] - accuracy["CNN_permute=true"] > 5

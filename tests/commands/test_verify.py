"""`verify`: expected results, their prediction interval, and the verdict inside and outside of it."""

import json
import re
import statistics
from types import SimpleNamespace

import pytest
from scipy import stats

from lit_cnn.cli.shipped_configs import shipped_configs
from lit_cnn.commands import verify
from lit_cnn.experiments.expected import Expected, expected_of, recorded
from lit_cnn.runs import weights
from scripts.make_results import documents, figures, head


def test_prediction_interval_covers_its_share_of_means():
    """Of means of 3 new runs, around means and deviations of 5 old ones."""
    rng = stats.norm(0.9, 0.02)
    old, new = rng.rvs((4000, 5), random_state=0), rng.rvs((4000, 3), random_state=1)
    inside = 0
    for values, mean in zip(old, new.mean(1), strict=True):
        low, high = Expected(statistics.mean(values), statistics.stdev(values), 5, [], "").band(3)
        inside += low <= mean <= high
    assert inside / 4000 == pytest.approx(0.95, abs=0.015)


def test_expected_results_are_those_of_their_counts():
    assert set(recorded()) == {name for name in shipped_configs() if "/" not in name}
    several = 0
    for name, entry in recorded().items():
        for runs in (value for key, value in entry.items() if key.startswith("runs")):
            assert len(runs["seeds"]) == len(set(runs["seeds"])) == runs["n"], name
            if runs["n"] > 1:
                several += 1
                shares = [right / runs["images"] for right in runs["correct"]]
                assert (runs["mean"], runs["sd"]) == pytest.approx((statistics.mean(shares), statistics.stdev(shares)))
    assert several >= 5


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_figures_of_heads_and_readmes_are_those_of_the_one_source(path):
    assert path.read_text() == documents()[path], "python -m scripts.make_results writes them"


def test_config_headers_state_what_was_measured():
    assert head({}) == "# Result: not trained yet.\n# Time: not measured yet.\n"
    runs = {"n": 1, "mean": 0.5, "seeds": [0], "how": "by hand"}
    assert head({"runs": runs}).startswith("# Result: test accuracy 50.00 % (seed 0, by hand).\n")
    part = head({"runs": runs | {"after": "1 epoch"}, "elsewhere": "others report 90 %"})
    assert "The whole recipe is not trained yet; others report 90 %." in part.replace("\n# ", " ")


def test_part_of_a_recipe_and_a_single_run_are_no_expectation():
    for entry in ({}, {"runs": {"n": 1}}, {"runs": {"n": 5, "after": "1 epoch"}}):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lit_cnn.experiments.expected.recorded", lambda entry=entry: {"quickstart": entry})
            assert expected_of("quickstart") is None


def test_figures_are_taken_from_runs_as_counts(tmp_path):
    for seed, right in ((0, 949), (3, 951)):
        run = tmp_path / f"a-seed{seed}" / "version_0"
        run.mkdir(parents=True)
        (run / "config.yaml").write_text(f"seed_everything: {seed}\n")
        results = {"test/acc": right / 1000, "test/correct": right, "test_images": 1000}
        (run / "results.json").write_text(json.dumps(results))
    found = figures([tmp_path])
    assert (found["seeds"], found["correct"], found["images"], found["n"]) == ([0, 3], [949, 951], 1000, 2)
    assert found["mean"] == 0.95


def test_config_without_a_measured_result_is_refused(lit_cnn):
    outcome = lit_cnn("verify", "configs/vgg16_bn_cifar.yaml")
    assert outcome.code == 2
    assert "vgg16_bn_cifar: no expected result." in outcome.err


@pytest.fixture
def grids(monkeypatch):
    """The grids that `verify` runs; each cell has the result in `accuracy`."""
    asked = SimpleNamespace(seeds=[], accuracy=0.968)

    def run_grid(experiment, *_):
        asked.seeds = experiment.seeds
        return [SimpleNamespace(results=lambda: {"test/acc": asked.accuracy}) for _ in experiment.seeds]

    monkeypatch.setattr(verify, "run_grid", run_grid)
    return asked


@pytest.mark.parametrize(("accuracy", "code", "word"), [(0.968, 0, "inside"), (0.90, 7, "outside")])
def test_verdict(lit_cnn, grids, accuracy, code, word):
    grids.accuracy = accuracy
    outcome = lit_cnn("verify", "quickstart")
    assert (outcome.code, f"found     {accuracy:.2%}: {word}" in outcome.out) == (code, True)
    assert "95 % prediction interval for 1 new seed" in outcome.out
    assert "99.9 % prediction" in lit_cnn("verify", "quickstart", "--confidence", 0.999).out
    assert lit_cnn("verify", "quickstart", "--confidence", 95).code == 2


@pytest.mark.parametrize("name", [name for name in recorded() if expected_of(name)])
def test_seeds_are_new_ones(lit_cnn, grids, name):
    lit_cnn("verify", name, "--seeds", 3)
    assert len(set(grids.seeds)) == 3
    assert not set(grids.seeds) & set(expected_of(name).seeds)


def test_seeds_that_made_the_expectation_are_refused(lit_cnn, grids):
    known = expected_of("quickstart").seeds
    outcome = lit_cnn("verify", "quickstart", "--seeds", f"[100, {known[1]}]")
    assert outcome.code == 2
    assert f"the expected result comes from seed {known[1]} itself" in outcome.err
    assert grids.seeds == []
    lit_cnn("verify", "quickstart", "--seeds", "[100, 200]")
    assert grids.seeds == [100, 200]


@pytest.mark.slow
def test_quickstart_comes_to_its_expected_result(processes):
    sure = ("--confidence", "0.999")  # of 0.95, one machine of 20 would be outside without a fault
    code, out = processes.run("verify", "quickstart", *sure, "--pictures.enabled", "false")
    assert code == 0, out
    assert "inside" in out


def test_shipped_weights_are_tested_anew(lit_cnn):
    outcome = lit_cnn("verify", "--weights", "quickstart")
    assert outcome.code == 0, outcome.err
    assert "expected  965 of 1,000 correct" in outcome.out
    assert re.search(r"found     96\d of 1,000 correct", outcome.out)


def test_weights_that_do_not_do_what_they_should_are_an_exit_code_of_7(lit_cnn, monkeypatch):
    wrong = weights.about_weights("quickstart") | {"correct": 990}
    monkeypatch.setattr(verify, "about_weights", lambda name: wrong)
    with pytest.raises(verify.OutsideError, match="correct, not 990 of 1,000"):
        verify.test_weights("quickstart", None)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "name a config, or --weights NAME"),
        (["quickstart", "--weights", "quickstart"], "name a config, or --weights NAME"),
        (["--weights", "quickstart", "--model.lr", "1"], "--model.lr is a setting of `fit`"),
        (["--weights", "cnn_mnis"], "Did you mean 'cnn_mnist'?"),
    ],
)
def test_wrong_words_about_weights_are_answered(lit_cnn, argv, said):
    outcome = lit_cnn("verify", *argv)
    assert outcome.code == 2
    assert said in outcome.err

"""`verify`: the expected results, the band around them, and what it says inside and outside of it."""

import json
import statistics

import pytest
from scipy import stats

from lit_cnn.commands import verify
from lit_cnn.experiments.expected import Expected, expected_of
from lit_cnn.shipped import shipped_configs


def test_band_holds_as_many_means_as_it_says():
    """Of means of 3 new runs, around means and deviations of 5 old ones."""
    rng = stats.norm(0.9, 0.02)
    old, new = rng.rvs((4000, 5), random_state=0), rng.rvs((4000, 3), random_state=1)
    inside = 0
    for values, mean in zip(old, new.mean(1), strict=True):
        low, high = Expected(statistics.mean(values), statistics.stdev(values), 5, "", "").band(3)
        inside += low <= mean <= high
    assert inside / 4000 == pytest.approx(0.95, abs=0.015)


def test_expected_results_are_of_shipped_configs_and_stand_in_their_heads():
    path = shipped_configs()["quickstart"].with_name("expected.json")
    for name, values in json.loads(path.read_text()).items():
        head = shipped_configs()[name].read_text()
        expected = Expected(**values)
        assert expected.n > 1
        assert expected.sd > 0
        assert f"{100 * expected.mean:.2f} +- {100 * expected.sd:.2f} %" in head
    seeds = [0.9710, 0.9630, 0.9740, 0.9770, 0.9670]  # as its head has them
    assert (expected_of("quickstart").mean, expected_of("quickstart").sd) == pytest.approx(
        (statistics.mean(seeds), statistics.stdev(seeds)), abs=5e-5
    )


def test_config_without_a_measured_result_is_refused(lit_cnn):
    outcome = lit_cnn("verify", "configs/vgg11_cifar.yaml")
    assert outcome.code == 2
    assert "vgg11_cifar: no expected result." in outcome.err


@pytest.mark.parametrize(("accuracy", "code", "word"), [(0.968, 0, "inside"), (0.90, 7, "outside")])
def test_verdict(lit_cnn, monkeypatch, accuracy, code, word):
    class Finished:
        def results(self):
            return {"test/acc": accuracy}

    monkeypatch.setattr(verify, "run_grid", lambda *_: [Finished()])
    outcome = lit_cnn("verify", "quickstart")
    assert (outcome.code, f"found     {accuracy:.2%}: {word}" in outcome.out) == (code, True)


def test_quickstart_comes_to_its_expected_result(processes):
    code, out = processes.run("verify", "quickstart", "--pictures.enabled", "false")
    assert code == 0, out
    assert "inside" in out

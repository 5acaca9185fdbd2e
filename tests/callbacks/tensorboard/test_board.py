"""TensorBoard callbacks: what they log, and that they do not change the training."""

import copy

import numpy as np
import pytest
import torch
import yaml
from conftest import SMALL, run_folder, run_once
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from lit_cnn import SyntheticDataModule, load
from lit_cnn.callbacks.tensorboard.figures import Budget
from lit_cnn.callbacks.tensorboard.health import activations
from lit_cnn.plots import prediction_grid
from lit_cnn.plots.calibration import expected_calibration_error

OFF = [f"--{name}.enabled=false" for name in ("pictures", "evaluation", "features", "health", "graph")]

pytestmark = pytest.mark.pictures


def _weights(folder):
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


VGG = ("--model", "LitVGG", "--model.widths", "[4, M, 8]", *SMALL)


@pytest.fixture(scope="module")
def on(tmp_path_factory):
    return run_once(tmp_path_factory.mktemp("on"), *VGG, pictures=True)


def test_weights_are_the_same_with_everything_off(on, lit_cnn):
    off = run_folder(lit_cnn("fit", *VGG, *OFF).out)
    mine, theirs = _weights(on), _weights(off)
    assert list(mine) == list(theirs)
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_health_and_graph_are_there(on):
    events = EventAccumulator(str(on), size_guidance={"scalars": 0}).Reload()
    scalars = set(events.Tags()["scalars"])
    for kind in ("weight norm", "update ratio", "activation size", "dead ReLUs"):
        found = [name for name in scalars if name.startswith(f"watch/{kind} 01 ")]
        assert len(found) == 1, kind
        assert len(events.Scalars(found[0])) == 2  # epochs
    assert {"val/ece", "test/ece"} <= scalars
    assert events.Tags()["graph"]


def _data_of(folder):
    data = SyntheticDataModule(**yaml.safe_load((folder / "config.yaml").read_text())["data"]["init_args"])
    data.setup("fit")
    data.setup("test")
    return data


def test_scalars_are_those_of_a_computation_by_other_means(on):
    events = EventAccumulator(str(on), size_guidance={"scalars": 0}).Reload()
    data = _data_of(on)
    for split, checkpoint in (("val", "last"), ("test", "best")):
        module = load(on / "checkpoints" / f"{checkpoint}.ckpt")
        images, labels = data.arrays(split).images.numpy(), data.arrays(split).labels.numpy()
        mean, std = (np.array(values).reshape(1, -1, 1, 1) for values in (data.mean, data.std))
        with torch.no_grad():
            logits = module(torch.from_numpy((images / 255 - mean) / std).float()).double().numpy()
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        right, sure = shares.argmax(1) == labels, shares.max(1)
        found = {name: events.Scalars(f"{split}/{name}")[-1] for name in ("acc", "nll", "ece")}
        assert found["acc"].value == pytest.approx(right.mean(), abs=1e-6)
        assert found["nll"].value == pytest.approx(-np.log(shares[range(len(labels)), labels]).mean(), abs=1e-5)
        bins = np.ceil(sure * 15)
        gaps = [abs(sure[bins == b].sum() - right[bins == b].sum()) for b in range(1, 16)]
        assert found["ece"].value == pytest.approx(sum(gaps) / len(labels), abs=1e-5)
        assert len({event.step for event in found.values()}) == 1
    for name, tensor in _weights(on).items():
        scalar = f"watch/weight norm 01 {name.removeprefix('net.').removesuffix('.weight')}"
        if scalar in events.Tags()["scalars"]:
            assert events.Scalars(scalar)[-1].value == pytest.approx(np.linalg.norm(tensor.numpy()), rel=1e-5)
            assert [e.step for e in events.Scalars(scalar)] == [e.step for e in events.Scalars("train/acc")]
            break
    else:
        raise AssertionError("no first layer")


def test_predictions_are_shown_as_they_are_evaluated(lit_cnn, monkeypatch):
    shown = []

    def noted(*grid):
        shown.append(grid)
        return prediction_grid(*grid)

    monkeypatch.setattr("lit_cnn.callbacks.tensorboard.pictures.prediction_grid", noted)
    folder = run_folder(lit_cnn("fit", "--model", "LitCNN", "--model.test_time_flip", "true", *SMALL).out)
    images, _, preds, probabilities, *_ = shown[-1]  # of the test
    module = load(folder)
    with torch.no_grad():
        shares = module.evaluate(module.preprocess(images)).softmax(1)
    assert probabilities == pytest.approx(shares.max(1).values.tolist(), abs=1e-5)
    assert preds == shares.argmax(1).tolist()


def test_health_of_many_short_epochs_is_logged_as_often_as_there_is_time(lit_cnn, monkeypatch):
    monkeypatch.setattr("lit_cnn.callbacks.tensorboard.health.EACH", 2)
    monkeypatch.setattr(
        "lit_cnn.callbacks.tensorboard.figures.time.monotonic", iter(range(10**6)).__next__
    )  # each takes a second
    outcome = lit_cnn("fit", "--model", "LitCNN", *SMALL, "--trainer.max_epochs", 6, "--pictures.enabled", "false")
    events = EventAccumulator(str(run_folder(outcome.out)), size_guidance={"scalars": 0}).Reload()
    (name,) = (name for name in events.Tags()["scalars"] if name.startswith("watch/weight norm 01 "))
    assert len(events.Scalars(name)) == 2
    assert len(events.Scalars("val/acc")) == 6


def test_dead_relus_and_sizes_are_those_of_the_layers():
    net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(inplace=True), nn.Linear(4, 1))
    module = copy.deepcopy(net).train()
    with torch.no_grad():
        module[0].weight.zero_()
        module[0].bias.copy_(torch.tensor([1.0, -1.0, -2.0, 3.0]))
    found = activations(module, torch.randn(6, 2))
    assert found["watch/dead ReLUs 01 1"] == 0.5
    assert found["watch/activation size 01 0"] == pytest.approx((15 / 4) ** 0.5)
    assert module.training
    assert all(not m._forward_hooks for m in module.modules())


def test_calibration_of_a_sure_and_right_network_is_perfect():
    assert expected_calibration_error(torch.ones(5), torch.ones(5, dtype=torch.bool)) == 0


def test_budget_waits_until_the_figures_cost_their_share(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("lit_cnn.callbacks.tensorboard.figures.time.monotonic", lambda: now[0])
    budget = Budget(first=1.0)
    assert not budget.allows()  # nothing is drawn in the first seconds
    now[0] = 201.0  # half a percent of it is the second that the first figure is assumed to take
    assert budget.allows()
    with budget.spending():
        now[0] += 2
    assert not budget.allows()
    now[0] = 801.0
    assert budget.allows()

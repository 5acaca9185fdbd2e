import pytest
import torch
from torch import nn

from lit_cnn import LitMLP
from lit_cnn.training.optimizers import build_optimizer, build_scheduler


def parameters():
    return [nn.Parameter(torch.zeros(2))]


def test_optimizer_takes_its_settings():
    optimizer = build_optimizer("SGD", parameters(), 0.1, {"momentum": 0.9, "nesterov": True})
    assert type(optimizer) is torch.optim.SGD
    assert [optimizer.defaults[k] for k in ("lr", "momentum", "nesterov")] == [0.1, 0.9, True]


@pytest.mark.parametrize(
    ("name", "settings", "match"),
    [
        ("Adm", {}, "Did you mean 'Adam'"),
        ("SGD", {"momentm": 0.5}, "'momentm', which is not an argument of SGD. Did you mean 'momentum'"),
        ("SGD", {"momentum": -1}, r"SGD refuses `optimizer_args` .*'momentum': -1.* with lr 0.1: "),
        ("SGD", {"lr": 1}, "Set the learning rate only with `lr`"),
    ],
)
def test_optimizer_refuses(name, settings, match):
    with pytest.raises(ValueError, match=match):
        build_optimizer(name, parameters(), 0.1, settings)


def test_scheduler_is_given_the_length_of_the_run():
    optimizer = build_optimizer("SGD", parameters(), 0.1, {"momentum": 0.9})
    assert build_scheduler("CosineAnnealingLR", optimizer, {}, 70).T_max == 70
    assert build_scheduler("CosineAnnealingLR", optimizer, {"T_max": 5}, 70).T_max == 5
    one_cycle = build_scheduler("OneCycleLR", optimizer, {}, 70)
    assert one_cycle.total_steps == 70
    assert optimizer.param_groups[0]["max_lr"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("name", "settings", "match"),
    [
        ("OneCycle", {}, "Did you mean 'OneCycleLR'"),
        ("StepLR", {"step": 3}, "Did you mean 'step_size'"),
        ("StepLR", {}, "StepLR refuses `scheduler_args` {} with lr 0.1: "),
    ],
)
def test_scheduler_refuses(name, settings, match):
    optimizer = build_optimizer("SGD", parameters(), 0.1, {})
    with pytest.raises(ValueError, match=match):
        build_scheduler(name, optimizer, settings, 70)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "SparseAdam"}, "SparseAdam cannot make a step"),
        (
            {"scheduler": "StepLR", "scheduler_args": {"step_size": 0}},
            "StepLR cannot make a step with",
        ),
        ({"scheduler": "ExponentialLR", "scheduler_args": {"gamma": -1}}, "sets a learning rate of -0.001"),
        ({"scheduler": "CosineAnnealingLR", "scheduler_args": {"eta_min": float("nan")}}, "a learning rate of nan"),
        ({"scheduler": "ReduceLROnPlateau", "scheduler_args": {"mode": []}}, "mode"),
        ({"optimizer_args": {"amsgrad": float("nan")}}, "Adam cannot make a step with `optimizer_args` .*amsgrad"),
    ],
)
def test_what_only_a_step_refuses_is_refused_at_once(settings, message):
    with pytest.raises(ValueError, match=message):
        LitMLP(**settings)


def test_a_module_can_be_made_where_no_gradients_are_taken():
    with torch.inference_mode():
        LitMLP(optimizer="LBFGS", scheduler="ReduceLROnPlateau")
    LitMLP(optimizer_args={"capturable": True, "fused": False})

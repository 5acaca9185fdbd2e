"""Parameter groups by patterns of names: their parameters, their settings, and the ends of their schedules."""

import pytest
import torch

from lit_cnn import LitCNN, LitVGG
from lit_cnn.errors import ConfigError
from lit_cnn.training import param_groups
from lit_cnn.training.optimizers import build

HEAD = {"pattern": "classifier", "lr": 0.5, "weight_decay": 0.0}
FIRST = {"pattern": r"features\.0\.bias", "lr": 0.2, "epochs": 2}


def built(groups, steps=8, per_epoch=1, **settings):
    module = LitCNN(optimizer="SGD", lr=0.1, param_groups=groups, **settings)
    return module, build(module, module.hparams, steps, per_epoch=per_epoch)


def test_each_parameter_is_in_the_group_of_the_first_pattern_in_its_name():
    module, found = built(
        [FIRST, HEAD, {"pattern": "bias", "momentum": 0.5}], optimizer_args={"momentum": 0.9}, scheduler="TriangularLR"
    )
    names = {id(p): name.removeprefix("net.") for name, p in module.named_parameters()}
    groups = [
        ([names[id(p)] for p in g["params"]], g["initial_lr"], g["momentum"], g["weight_decay"])
        for g in found["optimizer"].param_groups
    ]
    head = [name for name in names.values() if name.startswith("classifier")]
    assert groups == [
        (["features.0.weight", "features.3.weight"], 0.1, 0.9, 0),
        (["features.0.bias"], 0.2, 0.9, 0),
        (head, 0.5, 0.9, 0.0),
        (["features.3.bias"], 0.1, 0.5, 0),
    ]


def test_norms_and_biases_of_a_group_decay_only_if_it_says_so():
    _, found = built([HEAD], optimizer_args={"weight_decay": 0.3}, decay_norms_and_biases=False)
    assert [(g["lr"], g["weight_decay"]) for g in found["optimizer"].param_groups] == [(0.1, 0.3), (0.1, 0), (0.5, 0)]


@pytest.mark.parametrize("optimizer", ["SGD", "Muon"])
def test_a_groups_schedule_ends_with_its_epochs(optimizer):
    module = LitCNN(
        optimizer=optimizer, lr=0.1, param_groups=[FIRST], scheduler="TriangularLR", scheduler_args={"peak": 0},
        scheduler_interval="step",
    )  # fmt: skip
    found = build(module, module.hparams, 8, per_epoch=2)
    optimizer, scheduler, rates = found["optimizer"], found["lr_scheduler"]["scheduler"], []
    for _ in range(8):
        rates.append([optimizer.param_groups[i]["lr"] for i in (0, -1)])
        optimizer.step()
        scheduler.step()
    main, first = zip(*rates, strict=True)
    assert main == pytest.approx([0.1 * (1 - step / 8) for step in range(8)])
    assert first == pytest.approx([0.2 * max(0, 1 - step / 4) for step in range(8)])


def test_a_group_with_more_epochs_than_the_run_ends_with_the_run():
    _, found = built([{"pattern": "bias", "epochs": 20}], scheduler="TriangularLR", scheduler_args={"peak": 0})
    rates = []
    for _ in range(8):
        rates.append([group["lr"] for group in found["optimizer"].param_groups])
        found["optimizer"].step()
        found["lr_scheduler"]["scheduler"].step()
    assert all(one == other for one, other in rates)
    assert rates[-1] == pytest.approx([0.1 / 8] * 2)


def test_one_cycle_takes_the_rate_of_each_group():
    _, found = built([HEAD], scheduler="OneCycleLR", optimizer_args={"momentum": 0.9})
    assert [g["max_lr"] for g in found["optimizer"].param_groups] == pytest.approx([0.1, 0.5])


@pytest.mark.parametrize(
    ("groups", "match"),
    [
        ([{"lr": 1.0}], "Group 1 of `param_groups` needs a `pattern`, .* but got {'lr': 1.0}"),
        ([HEAD, {"pattern": "("}], r"Group 2 of `param_groups` has the pattern '\(', which is invalid: missing"),
        ([{"pattern": "a", "momentm": 1}], "'momentm', which is not an argument of SGD. Did you mean 'momentum'"),
        ([{"pattern": "a", "lr": -1}], "has lr: -1. It has to be a number above 0"),
        ([{"pattern": "a", "momentum": -1}], "SGD refuses .*Invalid momentum"),
        ([FIRST], "epochs, the end of a group's schedule, but `scheduler` is None. Use one of lit_cnn's own: Tri"),
    ],
)
def test_invalid_groups_are_refused_at_once(groups, match):
    with pytest.raises(ValueError, match=match):
        LitCNN(optimizer="SGD", param_groups=groups)


@pytest.mark.parametrize("settings", [{"momentum": 7}, {"weight_decay": "abc"}])
def test_wrong_setting_of_a_group_is_not_blamed_on_the_arguments_of_all(settings):
    with pytest.raises(ValueError, match="`param_groups`") as refused:
        LitCNN(optimizer="Muon", optimizer_args={"momentum": 0.6}, param_groups=[{"pattern": "bias", **settings}])
    assert "optimizer_args" not in str(refused.value)


@pytest.mark.parametrize(
    ("groups", "match"),
    [
        ([{"pattern": "haed"}], "'haed', which matches no parameter. The names are features.0.weight, features"),
        ([HEAD, {"pattern": r"classifier\.1"}], "earlier groups, such as classifier.1.weight. Put it before them"),
        ([{"pattern": "features.0.weight"}], "only frozen parameters, such as features.0.weight. Remove it"),
    ],
)
def test_a_pattern_without_parameters_is_refused(groups, match):
    module = LitCNN(optimizer="SGD", param_groups=groups)
    module.net.features[0].weight.requires_grad_(False)
    with pytest.raises(ConfigError, match=match):
        module.configure_optimizers()
    with pytest.raises(ConfigError, match=match):
        param_groups.text(module)


def test_printed_groups_name_parameters_that_an_earlier_group_has():
    lines = param_groups.text(LitCNN(optimizer="SGD", param_groups=[HEAD, {"pattern": "bias", "lr": 1}])).splitlines()
    assert lines == [
        "",
        "all other parameters: features.0.weight, features.3.weight (1,050 numbers)",
        "param_groups 'classifier': classifier.1.weight, classifier.1.bias, classifier.3.weight and 1 more (5,360 "
        "numbers); lr 0.5, weight_decay 0.0",
        "param_groups 'bias': features.0.bias, features.3.bias (12 numbers); lr 1; 2 more belong to an earlier group: "
        "classifier.1.bias",
    ]
    assert param_groups.text(LitCNN()) == ""


def test_summed_loss_multiplies_the_gradient_by_the_images():
    images, labels = torch.randn(7, 1, 28, 28), torch.arange(7)
    gradients = []
    for sum_loss in (False, True):
        torch.manual_seed(0)
        module = LitCNN(sum_loss=sum_loss)
        module.training_step((images, labels), 0).backward()
        gradients.append(module.net.classifier[-1].bias.grad)
    torch.testing.assert_close(gradients[1], 7 * gradients[0])


def test_momentum_of_batch_norm_is_an_argument_of_networks_that_have_it():
    norms = [m for m in LitVGG(norm_momentum=0.3).net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {0.3}
    with pytest.raises(ValueError, match="is for batch norm, but CNN has none"):
        LitCNN(norm_momentum=0.3)
    with pytest.raises(ValueError, match="a share from 0 to 1 or None, but got 2"):
        LitVGG(norm_momentum=2)

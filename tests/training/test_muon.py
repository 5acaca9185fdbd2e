"""Muon against torch's own for matrices, torch's SGD for the rest, and the formula."""

import copy

import pytest
import torch
from torch import nn

from lit_cnn.training.muon import Muon, orthogonalised
from lit_cnn.training.optimizers import build_optimizer


def step(optimizer, parameters, seed):
    generator = torch.Generator().manual_seed(seed)
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    optimizer.step()


@pytest.mark.parametrize("shape", [(8, 20), (20, 8)])
def test_matrices_take_the_steps_of_torchs_muon(shape):
    ours, theirs = nn.Parameter(torch.randn(shape)), nn.Parameter(torch.zeros(shape))
    theirs.data.copy_(ours.data)
    settings = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.2, "ns_steps": 4}
    optimizers = Muon([ours], matrices=True, **settings), torch.optim.Muon([theirs], **settings)
    for seed in range(3):
        step(optimizers[0], [ours], seed)
        step(optimizers[1], [theirs], seed)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0.01)  # torch's products are in bfloat16


@pytest.mark.parametrize("settings", [{}, {"momentum": 0.85, "nesterov": True}, {"momentum": 0.5, "weight_decay": 0.3}])
def test_everything_else_takes_the_steps_of_sgd(settings):
    ours = [nn.Parameter(torch.randn(5)), nn.Parameter(torch.randn(3, 4))]
    theirs = copy.deepcopy(ours)
    settings = {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0} | settings
    optimizers = Muon(ours, lr=0.1, **settings), torch.optim.SGD(theirs, lr=0.1, **settings)
    for seed in range(3):
        step(optimizers[0], ours, seed)
        step(optimizers[1], theirs, seed)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_filters_are_one_matrix_for_each_layer():
    filters, matrix = nn.Parameter(torch.randn(6, 3, 2, 2)), nn.Parameter(torch.randn(6, 12))
    matrix.data.copy_(filters.data.view(6, 12))
    for parameter, settings in ((filters, {}), (matrix, {"matrices": True})):
        optimizer = Muon([parameter], lr=0.1, **settings)
        for seed in range(2):
            step(optimizer, [parameter], seed)
    assert torch.equal(filters.view(6, 12), matrix)


def test_a_step_is_the_formula():
    weight = nn.Parameter(torch.randn(4, 2, 3, 3))
    before, gradient = weight.detach().clone(), torch.randn(4, 2, 3, 3)
    optimizer = Muon([weight], lr=0.5, momentum=0.6, ns_steps=3, normalise=True, weight_decay=0.1)
    weight.grad = gradient.clone()
    optimizer.step()
    scaled = before * (4**0.5 / before.norm()) * (1 - 0.5 * 0.1)
    x = (1 + 0.6) * gradient.view(4, 18)  # Nesterov momentum of a first step
    x = x / x.norm()
    for _ in range(3):
        gram = x @ x.T
        x = 3.4445 * x - 4.7750 * gram @ x + 2.0315 * gram @ gram @ x
    torch.testing.assert_close(weight.detach(), scaled - 0.5 * x.view(4, 2, 3, 3), rtol=1e-4, atol=1e-5)


def test_singular_values_come_near_1():
    matrix = torch.randn(30, 50, generator=torch.Generator().manual_seed(0))
    found = torch.linalg.svdvals(orthogonalised(matrix, 5))
    assert found.min() > 0.6
    assert found.max() < 1.3
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    cosine = nn.functional.cosine_similarity(orthogonalised(matrix, 5).flatten(), (u @ v).flatten(), dim=0)
    assert cosine > 0.98
    assert orthogonalised(torch.zeros(3, 4), 5).isfinite().all()


def test_a_group_of_both_kinds_is_split_and_keeps_its_settings_and_state():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(16, 2))
    optimizer = build_optimizer("Muon", net.parameters(), 0.1, {"momentum": 0.5})
    assert [(g["orthogonal"], len(g["params"]), g["lr"]) for g in optimizer.param_groups] == [
        (True, 1, 0.1),
        (False, 3, 0.1),
    ]
    step(optimizer, list(net.parameters()), 0)
    other = copy.deepcopy(net)
    again = build_optimizer("Muon", other.parameters(), 0.1, {"momentum": 0.5})
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for which, parameters in ((optimizer, net.parameters()), (again, other.parameters())):
        step(which, list(parameters), 1)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("momentum", -1, "at least 0"),
        ("momentum", 1, "below 1"),
        ("momentum", 7, "below 1"),
        ("ns_steps", 0, "at least 1"),
    ],
)
def test_settings_out_of_range_are_refused(name, value, says):
    with pytest.raises(ValueError, match=f"Muon refuses `optimizer_args` .* {name} has to be {says}, but got {value}"):
        build_optimizer("Muon", [nn.Parameter(torch.zeros(2))], 0.1, {name: value})


def test_setting_of_another_muon_is_refused():
    with pytest.raises(ValueError, match="'adjust_lr_fn', which is not an argument of Muon"):
        build_optimizer("Muon", [nn.Parameter(torch.zeros(2))], 0.1, {"adjust_lr_fn": "original"})

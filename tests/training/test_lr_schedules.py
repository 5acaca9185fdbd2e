import math

import pytest
import torch

from lit_cnn.training.optimizers import build_scheduler


def rates(name, steps, **settings):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    scheduler = build_scheduler(name, optimizer, settings, steps)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def test_warmup_cosine_rises_in_a_line_and_falls_along_a_cosine():
    found = rates("WarmupCosineLR", 100, warmup=0.1, end=0.1)
    assert found[:10] == pytest.approx([0.5 * (i + 1) / 11 for i in range(10)])
    assert found[10:] == pytest.approx([0.5 * (0.1 + 0.9 * (1 + math.cos(math.pi * i / 90)) / 2) for i in range(90)])


def test_triangular_rises_and_falls_in_lines():
    found = rates("TriangularLR", 10, peak=0.4, start=0.2)
    assert found == pytest.approx([0.5 * f for f in (0.2, 0.4, 0.6, 0.8, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6)])


@pytest.mark.parametrize("settings", [{"warmup": 2}, {"end": -1}])
def test_shares_outside_are_refused(settings):
    with pytest.raises(ValueError, match="has to be a share from 0 to 1, but got"):
        rates("WarmupCosineLR", 10, **settings)

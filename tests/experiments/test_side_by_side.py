"""Cells side by side: how many, with how many threads, and how their processes are started."""

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from lit_cnn.experiments import processes, side_by_side
from lit_cnn.experiments.cells import Cell


def cells(number, **config):
    config = {"trainer": {"accelerator": "cpu"}, **config}
    return [Cell(f"c{i}", "c", {}, i, Path("."), [], [], config) for i in range(number)]


@pytest.mark.parametrize(
    ("number", "given", "config", "memory", "jobs", "threads"),
    [
        (40, None, {}, 64e9, 8, 1),
        (40, 2, {}, 64e9, 2, 1),  # the threads are those of any number of jobs
        (2, None, {}, 64e9, 2, 4),
        (40, None, {"threads": 4}, 64e9, 2, 1),
        (40, None, {}, 4e9, 2, 1),
        (40, None, {}, 1e9, 1, 1),
    ],
)
def test_as_many_cells_as_cores_run_where_memory_suffices(monkeypatch, number, given, config, memory, jobs, threads):
    monkeypatch.setattr(side_by_side, "cores", lambda: 8)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=memory))
    assert side_by_side.shares(cells(number, **config), given) == side_by_side.Shares(jobs, threads, 0)


def test_each_gpu_has_a_cell(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert side_by_side.shares(cells(9, trainer={"accelerator": "auto"}), None) == side_by_side.Shares(4, None, 4)


@pytest.mark.parametrize(("threads", "forks"), [(1, True), (2, False)])
def test_a_process_in_which_torch_has_several_threads_is_not_forked(monkeypatch, threads, forks):
    monkeypatch.setattr(processes.Start, "forks", None)
    monkeypatch.setattr(processes, "import_once", lambda name: None)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    processes.choose_start()
    assert processes.Start.forks == (forks and processes.FORKS)

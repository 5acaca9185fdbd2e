"""`--threads`: the number of CPU threads is part of a run's settings."""

import os
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch
import yaml
from conftest import SMALL

from lit_cnn import cores
from lit_cnn.runs.record import runs_of
from lit_cnn.training import hardware

RUN = Path("logs/run/version_0")
FIT = (
    "fit",
    "--model",
    "LitLeNet",
    *SMALL,
    "--pictures.enabled",
    "false",
    "--name",
    "run",
    "--trainer.max_epochs",
    "1",
)


pytestmark = pytest.mark.usefixtures("threads_restored")


def config_of(run):
    return yaml.safe_load((run / "config.yaml").read_text())


def test_number_of_threads_is_written_and_holds_when_the_config_runs_again(lit_cnn):
    assert lit_cnn(*FIT).code == 0
    assert config_of(RUN)["threads"] == 1
    torch.set_num_threads(2)  # as on a machine with more cores
    assert lit_cnn("fit", "--config", RUN / "config.yaml", "--name", "again").code == 0
    assert torch.get_num_threads() == config_of(Path("logs/again/version_0"))["threads"] == 1


def test_resume_keeps_the_number_of_threads_and_refuses_another(lit_cnn):
    assert lit_cnn(*FIT).code == 0
    torch.set_num_threads(2)
    more = ("--trainer.max_epochs", "2")
    other = lit_cnn("fit", "--resume", RUN, *more, "--threads", "2")
    assert other.code == 4
    assert "threads was 1, now 2" in other.err
    assert lit_cnn(*FIT, "--resume", RUN, *more).code == 0
    assert torch.get_num_threads() == config_of(RUN)["threads"] == 1
    allowed = ("--trainer.max_epochs", "3", "--threads", "2", "--allow_changes", "true")
    assert lit_cnn("fit", "--resume", RUN, *allowed).code == 0
    assert config_of(RUN)["threads"] == 2


def test_cells_that_ask_for_no_number_of_threads_take_a_run_with_any(lit_cnn):
    assert lit_cnn(*FIT).code == 0
    config = config_of(RUN)
    assert runs_of(RUN.parent, config | {"threads": None}) == [RUN]
    assert runs_of(RUN.parent, config | {"threads": 2}) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("0", "threads: 0 (command line) has to be 1 or more."),
        ("auto", "threads: auto (command line) has to be a whole number or null."),
        ("1.5", "threads: 1.5 (command line) has to be a whole number or null."),
        ("", "threads: '' (command line) is empty. Give a value, or remove it."),
        ("100000", "threads: 100000 (command line) has to be a number from 1 to 1024."),
    ],
)
@pytest.mark.parametrize("verb", ["fit", "check"])
def test_a_wrong_number_of_threads_is_answered(lit_cnn, verb, wrong, said):
    outcome = lit_cnn(verb, *FIT[1:], "--threads", wrong)
    assert (outcome.code, outcome.err) == (2, f"error: {said}\n")


def test_processes_of_a_run_share_the_threads_unless_a_number_is_given(monkeypatch):
    monkeypatch.delenv(hardware.THREADS, raising=False)
    torch.set_num_threads(2)
    assert hardware.set_threads(None, 2) == 1
    assert os.environ[hardware.THREADS] == "1"  # for the other process, and Lightning leaves it
    assert hardware.set_threads(None, 2) == 1
    assert hardware.set_threads(2, 2) == torch.get_num_threads() == 2


@pytest.mark.parametrize(("percent", "elsewhere"), [([100.0, 0.0, 90.0], 1.0), ([20.0, 10.0, 0.0], 0.0)])
def test_cores_used_by_other_programs_exclude_this_process(monkeypatch, percent, elsewhere):
    """This process may not use CPU 2; it has used 30 % of a core in ten seconds."""
    clock = iter([0.0, 10.0])
    used = iter([5.0, 8.0])
    monkeypatch.setattr(cores, "usable", lambda: {0, 1})
    monkeypatch.setattr(psutil, "cpu_percent", lambda percpu: percent)
    monkeypatch.setattr(
        cores, "time", SimpleNamespace(perf_counter=lambda: next(clock), process_time=lambda: next(used))
    )
    assert cores.taken() == 0.0  # nobody counts yet
    cores.watch()
    assert cores.taken() == pytest.approx(elsewhere and 0.7)


@pytest.mark.parametrize(
    ("taken", "given", "expected"),
    [(0.3, (), 2), (1.1, (), 1), (5.0, (), 1), (1.1, ("--threads", "2"), 2)],
)
def test_a_run_does_not_use_cores_that_other_programs_use(lit_cnn, monkeypatch, taken, given, expected):
    monkeypatch.delenv(hardware.THREADS, raising=False)
    monkeypatch.setattr(cores, "cores", lambda: 2)
    monkeypatch.setattr(cores, "taken", lambda: taken)
    torch.set_num_threads(2)
    outcome = lit_cnn(*FIT, *given, "--trainer.limit_train_batches", "1")
    assert config_of(RUN)["threads"] == expected
    assert (f"other programs use {taken} of the 2 cores" in outcome.out) == (expected == 1)


def test_check_says_that_its_estimates_are_with_fewer_threads(lit_cnn, monkeypatch):
    monkeypatch.delenv(hardware.THREADS, raising=False)
    monkeypatch.setattr(cores, "cores", lambda: 2)
    monkeypatch.setattr(cores, "taken", lambda: 1.1)
    torch.set_num_threads(2)
    assert "threads: 1, not 2, since other programs use 1.1 of the 2 cores" in lit_cnn("check", *FIT[1:]).out


def test_a_number_of_threads_in_the_environment_holds_beside_other_work(monkeypatch):
    monkeypatch.setenv(hardware.THREADS, "2")
    monkeypatch.setattr(cores, "taken", lambda: 2.0)
    torch.set_num_threads(2)
    assert hardware.leave_busy_cores() == ""
    assert torch.get_num_threads() == 2

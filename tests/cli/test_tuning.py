"""`--tune_speed true`: the fastest settings are measured; the run equals one with these settings given by hand."""

import csv
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from conftest import SMALL
from jsonargparse import Namespace
from torch import nn

from lit_cnn.checks import slow, speed
from lit_cnn.checks.speed import COMPILE, PRECISION, RESIDENT, Slices, Tuning
from lit_cnn.cli import tuning
from lit_cnn.runs import checkpoint_io

FIT = (
    "--model", "LitVGG", "--model.widths", "[4, M, 8, M]", *SMALL, "--data.train_images", "120",
    "--data.augment", "[RandomCrop, Mixup]", "--pictures.enabled", "false", "--trainer.enable_progress_bar", "false",
)  # fmt: skip
TUNED = ("--config", "overlays/fast")


pytestmark = pytest.mark.usefixtures("threads_restored")


@pytest.fixture
def clock(monkeypatch):
    """Sets the seconds of steps by a function of their settings, or raises its error; one real step is taken."""

    def set_to(seconds_of):
        take = Slices.seconds

        def seconds(slices, steps):
            found = seconds_of(slices.settings)
            take(slices, 1)
            return found

        monkeypatch.setattr(Slices, "seconds", seconds)

    monkeypatch.setattr("lit_cnn.checks.speed.cores", lambda: 2)
    monkeypatch.setattr(slow, "is_emulated", lambda device: device.type != "cpu")
    return set_to


def bfloat16_on_two_threads(settings):
    return 0.004 / settings["threads"] / (2 if settings[PRECISION] == "bf16-mixed" else 1)


def left_by(run):
    last = checkpoint_io.load(run / "checkpoints" / "last.ckpt")
    rows = csv.DictReader((run / "metrics.csv").read_text().splitlines())
    figures = [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
    return last["state_dict"], last["optimizer_states"], figures, yaml.safe_load((run / "config.yaml").read_text())


def test_a_tuned_run_is_the_one_of_its_settings_given_by_hand_and_repeats(lit_cnn, clock, monkeypatch):
    clock(bfloat16_on_two_threads)
    tuned = lit_cnn("fit", *TUNED, *FIT, "--name", "run")
    assert tuned.code == 0, tuned.err
    assert re.search(r"^threads 2 +2 ms +16,000 +2\.00$", tuned.out, re.MULTILINE)
    assert re.search(r"^taken, after .* s: --threads 2 --trainer.precision bf16-mixed$", tuned.out, re.MULTILINE)
    monkeypatch.setattr(Tuning, "fastest", None)  # it is not tuned again
    torch.set_num_threads(1)
    by_hand = ("--threads", "2", "--trainer.precision", "bf16-mixed")
    assert lit_cnn("fit", *FIT, *by_hand, "--name", "run").code == 0
    a, b = (left_by(Path("logs/run") / version) for version in ("version_0", "version_1"))
    assert all(torch.equal(weight, b[0][name]) for name, weight in a[0].items())
    assert str(a[1]) == str(b[1])
    assert a[2:] == b[2:]
    more = ("--trainer.max_epochs", "3")
    for run in (("--resume", "logs/run/version_0", *more), (*TUNED, *FIT, "--name", "run", "--resume", *more)):
        gone_on = lit_cnn("fit", *run)
        assert gone_on.code == 0, gone_on.err
        torch.set_num_threads(1)
    again = [left_by(Path("logs/run") / version) for version in ("version_0", "version_1")]
    assert all(torch.equal(weight, again[1][0][name]) for name, weight in again[0][0].items())


def tuned(lit_cnn, *argv):
    outcome = lit_cnn("fit", *TUNED, *FIT, "--name", "run", "--trainer.max_epochs", "1", *argv)
    assert outcome.code == 0, outcome.err
    return outcome.out, yaml.safe_load(Path("logs/run/version_0/config.yaml").read_text())


def test_settings_that_fail_are_named_and_the_others_taken(lit_cnn, clock):
    def seconds_of(settings):
        if settings[PRECISION] == "bf16-mixed":
            raise RuntimeError("could not create a primitive")
        return bfloat16_on_two_threads(settings)

    clock(seconds_of)
    out, config = tuned(lit_cnn)
    assert "trainer.precision bf16-mixed failed: RuntimeError: could not create a primitive\n" in out
    assert (config["threads"], config["trainer"]["precision"], config["tune_speed"]) == (2, None, False)


def test_settings_that_are_faster_only_once_are_not_chosen(lit_cnn, clock):
    measured = []

    def seconds_of(settings):
        if settings["threads"] == 1:
            return 0.004 if settings[PRECISION] is None else 0.005
        measured.append(settings)
        return 0.002 if len(measured) <= 1 + speed.PAIRS else 0.006

    clock(seconds_of)
    out, config = tuned(lit_cnn)
    assert len(measured) > 1 + speed.PAIRS
    assert (config["threads"], config["trainer"]["precision"]) == (1, None)
    assert re.findall(r"  (\d\.\d\d)$", out[: out.index("\ncompile")], re.MULTILINE) == ["1.00", "0.67", "0.80"]


def test_settings_given_as_flags_stay(lit_cnn, clock):
    clock(bfloat16_on_two_threads)
    _, config = tuned(lit_cnn, "--threads", "1", "--trainer.precision", "32-true")
    assert (config["threads"], config["trainer"]["precision"]) == (1, "32-true")


def test_check_prints_the_table_and_leaves_the_process_as_it_was(lit_cnn, monkeypatch):
    monkeypatch.setattr(slow, "is_emulated", lambda device: True)
    monkeypatch.setattr("lit_cnn.cli.before_fit.take_first_steps.__defaults__", (0.1, False))
    before = torch.get_rng_state(), torch.get_num_threads(), dict(os.environ)
    outcome = lit_cnn("check", *TUNED, *FIT)
    assert outcome.code == 0, outcome.err
    lines = outcome.out[: outcome.out.index("\nLitVGG")].splitlines()
    assert 3 < len(lines) <= 6
    assert lines[1].startswith("float32, threads 1 ")
    assert lines[-3] == "bf16-mixed was not tried: this CPU has no bfloat16"
    assert lines[-2].startswith("compile was not tried: it takes a minute, and the training ")
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (torch.get_num_threads(), dict(os.environ)) == before[1:]


def test_candidates_of_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    tuner = Tuning(None, None, {}, {})
    tuner._length = 1000
    stages = list(tuner._stages(SimpleNamespace(device=torch.device("cuda"), channels_last=False)))
    assert stages == [
        [{RESIDENT: True}], [{"matmul_precision": "high"}], [{PRECISION: "bf16-mixed"}], [{PRECISION: "16-mixed"}],
        [{"trainer.benchmark": True}], [{"channels_last": True}],
        [{COMPILE: "default"}], [{COMPILE: "reduce-overhead"}],
    ]  # fmt: skip


@pytest.mark.parametrize(("first", "taken"), [(0.001, "default"), (1e6, None)])
def test_a_network_is_compiled_where_the_run_is_long_enough_for_it(lit_cnn, clock, monkeypatch, first, taken):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda net, mode: compiled.append(mode))
    monkeypatch.setattr(speed, "COMPILES", {"default": 0.0})
    count = []

    def seconds_of(settings):
        if settings[COMPILE] is None:
            return 0.004
        count.append(1)
        return first if len(count) == 1 else 0.001

    clock(seconds_of)
    _, config = tuned(lit_cnn, "--trainer.max_steps", "5", "--trainer.max_epochs", "1000")
    assert compiled[0] == "default"
    assert config["model"]["init_args"]["compile"] == taken


def test_other_processes_of_a_run_take_what_the_first_has_chosen(lit_cnn, clock, monkeypatch):
    monkeypatch.setattr(Tuning, "fastest", None)
    monkeypatch.setattr(tuning.rank_zero_only, "rank", 1)
    monkeypatch.setenv(tuning.CHOSEN, json.dumps({"threads": 2, PRECISION: "bf16-mixed"}))
    config = Namespace(tune_speed=True, threads=None, trainer=Namespace(precision=None))
    tuning.tune(None, config, [], None)
    assert config == Namespace(tune_speed=False, threads=2, trainer=Namespace(precision="bf16-mixed"))


def test_processes_started_by_torchrun_are_refused(lit_cnn, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    outcome = lit_cnn("fit", *TUNED, *FIT)
    assert outcome.code == 2
    assert "tune_speed: true measures in one process" in outcome.err


def test_tuning_in_each_cell_is_refused(lit_cnn):
    Path("cells.yaml").write_text("config: [quickstart, overlays/fast]\n")
    outcome = lit_cnn("ablate", "cells.yaml", "--dry_run")
    assert outcome.code == 2
    assert "tune_speed: true would choose other settings for each cell" in outcome.err


class Lazy(nn.Module):
    def forward(self, images):
        raise RuntimeError("no filters yet")


def test_bfloat16_that_is_emulated_is_said_with_its_factor(monkeypatch):
    net, cpu = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(12, 3)), torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": False}, raising=False)
    state = torch.get_rng_state()
    monkeypatch.setattr(slow, "_fastest_step", lambda *args: [net(args[1]), 15.2 if args[2] else 1.0][1])
    said = slow.of_bfloat16(net, (3, 2, 2), cpu, "bf16-mixed")
    assert said.startswith("trainer.precision: bf16-mixed is emulated, since this CPU has no bfloat16. ")
    assert "Steps of 4 images are 15 times slower\nthan in float32." in said
    assert max(map(len, said.splitlines())) <= 120
    assert torch.equal(torch.get_rng_state(), state)
    assert slow.of_bfloat16(net, (3, 2, 2), cpu, "32-true") == ""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    assert slow.of_bfloat16(net, (3, 2, 2), cpu, "bf16-mixed") == ""


def test_bfloat16_of_a_network_that_is_not_ready_is_said_without_a_factor(monkeypatch):
    monkeypatch.setattr(slow, "is_emulated", lambda device: True)
    assert "are slower\nthan" in slow.of_bfloat16(Lazy(), (1, 2, 2), torch.device("cpu"), "bf16-mixed")

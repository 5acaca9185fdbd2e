"""Devices without float64 and with copies that must wait, as Apple's GPUs are: a stand-in on the CPU refuses both.

The stand-in takes every tensor for one of the device, but those that `.cpu()`, a factory without a device or a
computation on such tensors has made. What else may be float64 is listed in HOST.
"""

import sys
from pathlib import Path

import lightning.pytorch as L
import pytest
import torch
from PIL import Image
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from lit_cnn import devices
from lit_cnn.keyed_random import Draws
from lit_cnn.training import hardware
from lit_cnn.training.metrics import NLL, go_on_counting

pytestmark = pytest.mark.slow

# Where float64 is right: these tensors never lie on the device.
HOST = {
    ("logger_connector.py", "teardown"): "Lightning moves the metrics to the CPU",
    ("result.py", "cpu"): "the same",
    ("evaluation.py", "_of_all_devices"): "predictions, moved to the CPU unless there are several GPUs",
    ("graph.py", "on_fit_start"): "a copy of the network on the CPU, which torch.jit.trace compares with itself",
    ("arrays.py", "statistics_of"): "counts of the dataset's grey levels, which lie in memory",
    ("pixels.py", "moments"): "the dataset's images; `resident` ones are on CUDA GPUs only",
    ("synthetic_module.py", "_uniform"): "the making of the dataset",
}


class Refused(Exception):
    """No TypeError, which Python takes for an operator that is not there."""


class WithoutFloat64(TorchFunctionMode):
    """Refuses float64 and copies that do not wait."""

    def __init__(self):
        super().__init__()
        self.host = WeakIdKeyDictionary()
        self.calls = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        self.calls += 1
        name = getattr(function, "__name__", str(function))
        if kwargs.get("non_blocking") or (name == "to" and any(a is True for a in args[2:4])):
            raise Refused(f"{name}: a copy that does not wait")
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        out = function(*args, **kwargs)
        if function is torch.Tensor.cpu:
            out = out.clone() if out is args[0] else out
            self.host[out] = True
            return out
        made = [leaf for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)]
        placed = kwargs.get("device") is not None or (name == "to" and any(isinstance(a, torch.device) for a in args))
        on_host = not placed and all(tensor in self.host for tensor in given)
        for tensor in made:
            wide = tensor.dtype in (torch.float64, torch.complex128)
            if on_host or (wide and in_host_code()):
                self.host[tensor] = True
            elif wide:
                raise Refused(f"{name}: float64 on a device that has none")
        return out


def in_host_code():
    frame = sys._getframe(2)
    while frame:
        if (Path(frame.f_code.co_filename).name, frame.f_code.co_name) in HOST:
            return True
        frame = frame.f_back
    return False


@pytest.fixture
def without_float64(monkeypatch):
    monkeypatch.setattr(devices, "WITH_FLOAT64", ())
    with WithoutFloat64() as mode:
        yield mode
    assert mode.calls


def test_stand_in_refuses_what_such_a_device_refuses(without_float64):
    on_device = torch.zeros(3, device=torch.device("cpu"))
    for wrong in (
        on_device.double, lambda: on_device.to(torch.float64), lambda: on_device + torch.zeros(3).double(),
        lambda: torch.zeros(3, dtype=torch.float64, device=torch.device("cpu")),
        lambda: on_device.to("cpu", non_blocking=True), lambda: torch.zeros(3).double().to(torch.device("cpu")),
    ):  # fmt: skip
        with pytest.raises(Refused):
            wrong()
    assert on_device.cpu().double().dtype == torch.float64


SETTINGS = (
    "--data", "SyntheticDataModule", "--data.image_size", "16", "--data.num_classes", "3", "--data.train_images", "160",
    "--data.test_images", "40", "--data.in_channels", "3", "--trainer.accelerator", "cpu", "--trainer.max_epochs", "1",
    "--data.augment+=RandomCrop", "--data.augment+=RandomFlip", "--data.augment+=ColorJitter",
    "--data.augment+=Cutout", "--data.augment+=Mixup", "--data.augment+=CutMix", "--data.views+=LowPass",
    "--data.views.cutoff", "4", "--data.views.clip", "true", "--model", "LitLeNet", "--name", "run",
)  # fmt: skip


def test_every_verb_runs_without_float64(without_float64, lit_cnn, tmp_path):
    Image.new("RGB", (16, 16), (9, 99, 199)).save("image.png")
    run = "logs/run/version_0"
    for argv in (
        ("fit", *SETTINGS), ("fit", "--resume", run, "--trainer.max_epochs", "2"), ("test", run),
        ("predict", run), ("classify", run, "image.png"), ("explain", run, "image.png"),
        ("check", *SETTINGS), ("report", run),
    ):  # fmt: skip
        outcome = lit_cnn(*argv)
        assert outcome.code == 0, f"{argv} {outcome.err}"


def test_results_without_float64_equal_those_with_it(monkeypatch):
    draws = Draws(0, 1, torch.arange(50))
    shares = draws.beta("share", 0.2)
    monkeypatch.setattr(devices, "WITH_FLOAT64", ())
    assert torch.equal(draws.beta("share", 0.2), shares)


def test_counts_of_another_device_go_on_in_float32(monkeypatch):
    monkeypatch.setattr(devices, "WITH_FLOAT64", ())
    metrics = torch.nn.ModuleDict({"nll": NLL()}).to("cpu")
    go_on_counting(metrics, {"nll": {"total": torch.tensor(3.0).double(), "images": torch.tensor(2)}}, first=True)
    assert metrics["nll"].total.dtype == torch.float32
    assert metrics["nll"].compute() == 1.5


def test_default_device_is_the_one_that_lightning_takes(monkeypatch):
    assert hardware.default_device() == L.Trainer(accelerator="auto", devices=1, logger=False).strategy.root_device
    monkeypatch.setattr(hardware.MPSAccelerator, "is_available", lambda: True)
    assert hardware.default_device().type == "mps"

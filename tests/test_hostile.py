"""Hostile files that would run code when they are read; each leaves a mark if it did."""

import builtins
import os
import pickle
import subprocess
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10

import lit_cnn
from lit_cnn import CIFAR10DataModule
from lit_cnn.data.sources.cifar import ArraysOnly
from lit_cnn.errors import CheckpointError, DataError


class Calls:
    """Pickles into a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


TOUCH = "open('ran', 'w').close()"
GADGETS = {
    "os.system": lambda: Calls(os.system, "touch ran"),
    "subprocess.Popen": lambda: Calls(subprocess.Popen, ["touch", "ran"]),
    "builtins.eval": lambda: Calls(builtins.eval, TOUCH),
    "builtins.exec": lambda: Calls(builtins.exec, TOUCH),
    "pathlib.Path.touch": lambda: Calls(Path.touch, Path("ran")),
    "numpy.save": lambda: Calls(np.save, "ran", np.zeros(1)),
    "torch.save": lambda: Calls(torch.save, 1, "ran"),
    "getattr": lambda: Calls(getattr, Path, "touch"),
}


def ran():
    return [p for p in Path().iterdir() if p.name.startswith("ran")]


@pytest.mark.parametrize("name", ["os.system", "subprocess.Popen", "builtins.eval", "builtins.exec", "numpy.save"])
def test_the_gadgets_would_run_where_nobody_looks(name):
    process = pickle.loads(pickle.dumps(GADGETS[name]()))
    if isinstance(process, subprocess.Popen):
        process.wait()
    assert ran()


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("name", GADGETS)
def test_cifar_batches_run_nothing(tmp_path, monkeypatch, name, protocol):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    batch = {"data": np.zeros((1, 3072), np.uint8), "labels": [0], "more": GADGETS[name]()}
    content = pickle.dumps(batch, protocol)
    (folder / "evil").write_bytes(content)
    known = [["evil", md5(content).hexdigest()]]  # as if the checksum had been forged too
    monkeypatch.setattr(CIFAR10, "train_list", known)
    monkeypatch.setattr(CIFAR10, "test_list", known)
    monkeypatch.setattr(CIFAR10, "meta", {"filename": "evil", "key": "", "md5": known[0][1]})
    data = CIFAR10DataModule(data_dir=str(tmp_path))
    data.prepare_data()
    with pytest.raises(DataError, match="evil is not a batch of CIFAR-10: it would run "):
        data.setup("fit")
    assert not ran()


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_arrays_come_out_of_pickles_as_ever(tmp_path, protocol):
    content = {"data": np.arange(12, dtype=np.uint8).reshape(3, 4), "labels": [1, 2], "name": "x"}
    (tmp_path / "x").write_bytes(pickle.dumps(content, protocol))
    with (tmp_path / "x").open("rb") as file:
        read = ArraysOnly(file, encoding="latin1").load()
    assert np.array_equal(read["data"], content["data"])
    assert (read["labels"], read["name"]) == ([1, 2], "x")


@pytest.mark.parametrize(
    "content",
    [b"", b"text", pickle.dumps([1]), pickle.dumps({"data": [1], "labels": [1]}),
     pickle.dumps({"data": np.zeros((2, 3072)), "labels": [1, 2]}),
     pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1]}),
     pickle.dumps({"data": np.zeros((1, 3072), np.uint8), "labels": ["a"]})],
)  # fmt: skip
def test_what_is_no_batch_is_named(tmp_path, content):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "test_batch").write_bytes(content)
    with pytest.raises(DataError, match="test_batch is not a batch of CIFAR-10: .* Replace it") as caught:
        CIFAR10DataModule(data_dir=str(tmp_path)).setup("test")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("how", ["torch", "torch of before 1.6", "plain pickle"])
@pytest.mark.parametrize("name", GADGETS)
def test_checkpoints_run_nothing(name, how):
    content = {"class_path": "lit_cnn.LitMLP", "state_dict": {}, "evil": GADGETS[name]()}
    if how == "plain pickle":
        Path("evil.ckpt").write_bytes(pickle.dumps(content))
    else:
        torch.save(content, "evil.ckpt", _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(CheckpointError, match="evil.ckpt cannot be read as a checkpoint"):
        lit_cnn.load("evil.ckpt")
    assert not ran()


@pytest.mark.parametrize("name", ["os.system", "builtins.eval"])
def test_a_checkpoint_names_no_class_that_is_then_imported(name):
    torch.save(
        {"class_path": name, "state_dict": {}, "hyper_parameters": {"command": "touch ran"}, "data": {}}, "x.ckpt"
    )
    with pytest.raises(CheckpointError, match="Import (os|builtins) first"):
        lit_cnn.load("x.ckpt")
    assert not ran()


def test_arrays_of_objects_are_no_pictures():
    np.save("evil.npy", np.array([GADGETS["os.system"]()], dtype=object), allow_pickle=True)
    module = lit_cnn.LitMLP()
    from lit_cnn.transforms import Preprocess

    module.preprocess = Preprocess(mean=[0.5], std=[0.5], image_size=(28, 28))
    with pytest.raises(DataError, match="evil.npy is not an image that can be read"):
        module.predict("evil.npy")
    assert not ran()

"""Weights that come with the package, and safetensors files in place of checkpoints."""

import hashlib
import json
import math

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import lit_cnn as package
from lit_cnn.errors import CheckpointError
from lit_cnn.inference.load import load
from lit_cnn.runs.weights import INDEX, shipped_weights

KNOWN = json.loads(INDEX.read_text())


def test_every_file_is_known_by_its_digest_and_all_are_small():
    assert set(KNOWN) == set(shipped_weights())
    for name, path in shipped_weights().items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == KNOWN[name]["sha256"]
        assert 0 < KNOWN[name]["correct"] <= KNOWN[name]["test_images"]
    assert sum(path.stat().st_size for path in shipped_weights().values()) <= 8e6


@pytest.mark.parametrize("name", shipped_weights())
def test_weights_load_by_name_as_the_network_of_their_config(name):
    module = load(name)
    assert not module.training
    shape = module.input_shape
    probabilities = module.predict(torch.zeros(2, *shape, dtype=torch.uint8))
    assert probabilities.shape == (2, len(module.class_names))
    assert all(t.dtype == torch.float32 for t in module.state_dict().values() if t.is_floating_point())


def test_weights_of_the_quickstart_have_the_test_figure_that_is_known():
    data = package.SampleDataModule(eval_batch_size=500)
    data.setup("test")
    module = load("quickstart")
    with torch.no_grad():
        right = sum(int((module(images).argmax(1) == labels).sum()) for images, labels in data.test_dataloader())
    assert abs(right - KNOWN["quickstart"]["correct"]) <= 1  # another CPU may round one image over the edge


def test_exported_file_takes_the_place_of_its_run(lit_cnn):
    assert lit_cnn("export", "cnn_mnist", "--format", "safetensors", "--output", "mine.safetensors").code == 0
    images = torch.randint(0, 256, (4, 1, 28, 28), dtype=torch.uint8)
    assert torch.equal(load("mine.safetensors").predict(images), load("cnn_mnist").predict(images))
    for verb in ("classify", "explain"):
        assert "cnn_mnist" in lit_cnn(verb, "--help").out


def test_misspelt_name_is_answered_with_the_likely_one():
    with pytest.raises(CheckpointError, match="no checkpoint, run or weights cnn_mnst. Did you mean 'cnn_mnist'"):
        load("cnn_mnst")


def test_folder_or_file_of_that_name_comes_first(tmp_path):
    (tmp_path / "cnn_mnist").mkdir()
    with pytest.raises(CheckpointError, match="no checkpoint|There is no"):
        load("cnn_mnist")


@pytest.mark.parametrize("content", [None, b"", b"not a file of safetensors"])
def test_a_file_that_is_not_safetensors_is_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "x.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read as a safetensors file"):
        load(path)


def test_weights_that_are_no_numbers_are_refused(lit_cnn):
    assert lit_cnn("export", "cnn_mnist", "--format", "safetensors", "--output", "mine.safetensors").code == 0
    with safe_open("mine.safetensors", "pt") as file:
        state, about = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    next(iter(state.values())).fill_(math.nan)
    save_file(state, "nan.safetensors", about)
    with pytest.raises(CheckpointError, match="weights that are not finite"):
        load("nan.safetensors")


def test_damaged_file_of_the_package_is_refused(tmp_path, monkeypatch):
    content = bytearray(shipped_weights()["cnn_mnist"].read_bytes())
    content[-3] ^= 1
    (tmp_path / "cnn_mnist.safetensors").write_bytes(content)
    monkeypatch.setattr("lit_cnn.runs.weights.FOLDER", tmp_path)
    with pytest.raises(CheckpointError, match="is damaged. Install lit_cnn again"):
        load("cnn_mnist")


def test_foreign_safetensors_are_refused(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match="has no class path"):
        load(tmp_path / "x.safetensors")

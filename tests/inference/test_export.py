import json
import sys

import numpy as np
import pytest
import torch

from lit_cnn import load
from lit_cnn.commands.export import export
from lit_cnn.inference import export as exporting

FORMATS = [(f, p) for f in ("onnx", "pt2", "torchscript", "safetensors") for p in (False, True)][1:-1]
FORMATS.append(pytest.param("onnx", False, marks=pytest.mark.slow))  # a part of what is exported with preprocessing


def need(form):
    for name in exporting.FORMATS[form].needs:
        pytest.importorskip(name, reason=f"--format {form} needs {name}: pip install 'lit-cnn[export]'")


@pytest.mark.parametrize(("form", "preprocessing"), FORMATS)
@pytest.mark.parametrize("kind", ["colour_run", "permuted_run"])
def test_files_compute_what_the_network_does(request, tmp_path, kind, form, preprocessing):
    need(form)
    run = request.getfixturevalue(kind)
    path, difference = export(run, form, None, preprocessing)
    assert difference <= 1e-4
    assert path.parent.resolve() == tmp_path
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
    module = load(run)
    images = torch.randint(0, 256, (3, *module.input_shape), dtype=torch.uint8)
    inputs = images if preprocessing else module.preprocess(images).contiguous()
    with torch.no_grad():
        logits = exporting.FORMATS[form].read(path, module)(inputs)
    assert torch.allclose(logits.softmax(1), module.predict(images), atol=1e-5)


def test_onnx_file_knows_classes_and_normalisation(permuted_run, tmp_path):
    need("onnx")
    import onnxruntime

    path, _ = export(permuted_run, "onnx", tmp_path / "new" / "x.onnx", True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    settings = load(permuted_run).preprocess.settings
    assert json.loads(metadata["class_names"]) == ["pattern 0", "pattern 1", "pattern 2"]
    assert {key: json.loads(metadata[key]) for key in settings} == settings
    assert metadata["input"] == "uint8 [batch, 1, 12, 10], 0 to 255"
    (given,) = session.get_inputs()
    assert (given.name, given.type, given.shape[1:]) == ("images", "tensor(uint8)", [1, 12, 10])
    for n in (1, 9):
        assert session.run(None, {"images": np.zeros((n, 1, 12, 10), np.uint8)})[0].shape == (n, 3)


def test_other_files_know_them_too(colour_run, tmp_path):
    settings = load(colour_run).preprocess.settings
    found = {"class_names": "", "mean": ""}
    export(colour_run, "pt2", tmp_path / "x.pt2", False)
    torch.export.load(tmp_path / "x.pt2", extra_files=found)
    assert json.loads(found["class_names"])[0] == "pattern 0"
    assert json.loads(found["mean"]) == settings["mean"]
    from safetensors import safe_open

    export(colour_run, "safetensors", tmp_path / "x.safetensors", False)
    export(colour_run, "safetensors", tmp_path / "again.safetensors", False)
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "x.safetensors").read_bytes()
    with safe_open(tmp_path / "x.safetensors", "pt") as file:
        assert json.loads(file.metadata()["std"]) == settings["std"]
        assert json.loads(file.metadata()["hyper_parameters"])["image_size"] == 16


def test_mean_with_the_mirror_image_is_exported(colour_run):
    module = load(colour_run)
    module.hparams["test_time_flip"] = True
    images = exporting.made_up_images(module, 4)
    logits = exporting.Deployed(module, True)(images)
    assert torch.allclose(logits, module.evaluate(module.preprocess(images)), atol=1e-5)


def test_wrong_file_is_refused_and_not_left(lit_cnn, colour_run, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting.Normalise, "forward", lambda self, images: images.float() / 255)
    outcome = lit_cnn("export", colour_run, "--format", "pt2", "--preprocessing", "true")
    assert outcome.code == 1
    assert "pt2: the file's logits differ from the network's by up to" in outcome.err
    assert "Traceback" not in outcome.err
    assert list(tmp_path.glob("*.pt2")) == []


def test_missing_package_is_a_sentence(lit_cnn, colour_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    outcome = lit_cnn("export", colour_run, "--format", "onnx")
    assert outcome.code == 2
    assert "--format onnx needs the package" in outcome.err
    assert "pip install 'lit-cnn[export]'" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--format", "onxx"], "'onxx'"),
        ([], "--format. See python -m lit_cnn export --help."),
        (["--format", "safetensors", "--preprocessing", "true"], "safetensors files contain only weights"),
        (["--format", "pt2", "--output", "x.onnx"], "--output x.onnx: files of --format pt2 have to end in .pt2"),
    ],
)
def test_wrong_arguments_end_in_a_sentence(lit_cnn, colour_run, arguments, says):
    outcome = lit_cnn("export", colour_run, *arguments)
    assert outcome.code == 2
    assert says in outcome.err


def test_formats_of_the_help_are_all(lit_cnn):
    text = lit_cnn("export", "--help").out
    assert all(f"\n  {form} " in text for form in exporting.FORMATS)

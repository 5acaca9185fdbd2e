"""Training on an NVIDIA GPU: equal batches, resident data, resume, precision, the fast loop, and the other verbs."""

import json
from pathlib import Path

import pytest
import torch
from conftest import SMALL, run_folder
from PIL import Image

import lit_cnn as package
from lit_cnn.transforms import AlternatingFlip, ColorJitter, RandomCrop, RandomErasing

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]

ON_GPU = (*SMALL[:-1], "gpu", "--trainer.deterministic", "true", "--pictures.enabled", "false")
MLP = ("--model", "LitMLP")
CROPS = ("--data.augment", json.dumps(["RandomCrop", "RandomFlip"]))


def results(lit_cnn, *argv):
    outcome = lit_cnn("fit", *ON_GPU, *argv)
    assert outcome.code == 0, outcome.err
    folder = run_folder(outcome.out)
    kept = json.loads((folder / "results.json").read_text())
    return folder, {name: kept[name] for name in ("val/acc", "val/nll", "test/acc", "test/nll", "train/nll")}


def weights(folder):
    path = next(Path(folder, "checkpoints").glob("last*.ckpt"))
    return torch.load(path, map_location="cpu", weights_only=True)["state_dict"]


def batches(resident, device):
    data = package.SyntheticDataModule(
        image_size=16, train_images=300, augment=[RandomCrop(), AlternatingFlip(), ColorJitter(), RandomErasing()]
    )
    data.setup("fit")
    if resident:
        data.resident = True
        data._bring_to(device, "train")
    maker = data.batch_maker("train", device)
    return maker(torch.arange(64), epoch=1)


@pytest.mark.parametrize("resident", [False, True])
def test_batches_made_on_the_gpu_are_those_of_the_cpu(resident):
    there, here = batches(resident, torch.device("cuda", 0)), batches(False, torch.device("cpu"))
    assert there[0].device.type == "cuda"
    torch.testing.assert_close(there[0].cpu(), here[0], rtol=1e-4, atol=1e-4)
    assert torch.equal(there[1].cpu(), here[1])


def test_resident_data_change_nothing(lit_cnn):
    _, moved = results(lit_cnn, *MLP, *CROPS, "--data.resident", "false")
    _, resident = results(lit_cnn, *MLP, *CROPS, "--data.resident", "true")
    assert moved == resident


def test_fast_loop_takes_the_steps_of_lightnings_loop(lit_cnn):
    fast, _ = results(lit_cnn, *MLP, *CROPS, "--fast_loop", "true")
    slow, _ = results(lit_cnn, *MLP, *CROPS, "--fast_loop", "false")
    for name, weight in weights(fast).items():
        torch.testing.assert_close(weight, weights(slow)[name], rtol=0, atol=0, msg=name)


@pytest.mark.parametrize("model", [MLP, ("--model", "LitLeNet")])
def test_resumed_run_equals_the_uninterrupted_one(lit_cnn, model):
    whole, expected = results(lit_cnn, *model, *CROPS, "--trainer.max_epochs", "3")
    part, _ = results(lit_cnn, *model, *CROPS, "--trainer.max_epochs", "1")
    outcome = lit_cnn("fit", "--resume", part, "--trainer.max_epochs", "3")
    assert outcome.code == 0, outcome.err
    for name, weight in weights(whole).items():
        torch.testing.assert_close(weights(part)[name], weight, rtol=0, atol=0, msg=name)
    assert json.loads((part / "results.json").read_text())["test/nll"] == expected["test/nll"]


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_mixed_precision_learns_as_float32_does(lit_cnn, precision):
    _, mixed = results(lit_cnn, "--model", "LitLeNet", "--trainer.precision", precision, "--trainer.max_epochs", "4")
    _, full = results(lit_cnn, "--model", "LitLeNet", "--trainer.max_epochs", "4")
    assert mixed["test/nll"] == pytest.approx(full["test/nll"], rel=0.15)


def test_compiled_network_learns_as_the_eager_one(lit_cnn):
    _, compiled = results(lit_cnn, "--model", "LitLeNet", "--model.compile", "reduce-overhead")
    _, eager = results(lit_cnn, "--model", "LitLeNet")
    assert compiled["test/nll"] == pytest.approx(eager["test/nll"], rel=0.02)


def test_run_of_a_gpu_goes_through_the_other_verbs(lit_cnn):
    folder, _ = results(lit_cnn, "--model", "LitLeNet")
    Image.new("RGB", (16, 16), "red").save("red.png")
    for verb in (
        ("report", folder),
        ("classify", folder, "red.png"),
        ("explain", folder, "red.png"),
        ("export", folder, "--format", "safetensors"),
        ("check", *ON_GPU, "--model", "LitLeNet"),
    ):
        outcome = lit_cnn(*verb)
        assert outcome.code == 0, (verb, outcome.err)
    tested = lit_cnn("test", "--config", folder / "config.yaml", "--ckpt_path", folder / "checkpoints" / "last.ckpt")
    assert tested.code == 0, tested.err
    module = package.load(folder)
    assert next(module.parameters()).device.type == "cpu"


def test_fastest_settings_are_measured_and_repeat(lit_cnn):
    folder, tuned = results(lit_cnn, "--model", "LitLeNet", "--tune_speed", "true")
    assert results(lit_cnn, "--config", str(folder / "config.yaml"))[1] == tuned

"""Weights to start from: files, torchvision's names, new heads, frozen bodies, and what is refused."""

import shutil
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models._api import WeightsEnum

import lit_cnn as package
from lit_cnn import models
from lit_cnn.errors import CheckpointError


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The state dict of torchvision's ResNet-18 for a thousand classes, in a file."""
    net = torchvision.models.resnet18()
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(net.state_dict(), path)
    return net, str(path)


def test_weights_of_torchvision_give_its_outputs(weights):
    theirs, path = weights
    ours = models.create("resnet18", stem="imagenet", num_classes=1000, weights=path).eval()
    images = torch.randn(2, 3, 40, 40)
    with torch.no_grad():
        assert torch.equal(ours(images), theirs.eval()(images))


@pytest.mark.parametrize("head_is_new", [False, True])
def test_head_starts_afresh_where_the_classes_are_others(weights, head_is_new):
    theirs, path = weights
    torch.manual_seed(1)
    ours = models.create("resnet18", stem="imagenet", num_classes=7 if head_is_new else 1000, weights=path)
    for key, value in ours.state_dict().items():
        if not key.startswith("fc."):
            assert torch.equal(value, theirs.state_dict()[key]), key
    assert head_is_new or torch.equal(ours.fc.weight, theirs.fc.weight)


def test_weights_by_name_are_torchvisions(weights, monkeypatch):
    theirs, _ = weights
    asked = []
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda self, **_: asked.append(self.url) or theirs.state_dict())
    ours = models.create("resnet18", stem="imagenet", weights="IMAGENET1K_V1")
    assert torch.equal(ours.conv1.weight, theirs.conv1.weight)
    assert asked == [torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url]


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_weights_by_name_want_the_range_that_they_were_trained_with(name, monkeypatch):
    with pytest.raises(ValueError, match=f"IMAGENET1K_V1 of {name} were .* another range. Set `transform_input: true`"):
        models.create(name, weights="IMAGENET1K_V1")
    saved = models.create(name, stem="imagenet", init="torch", num_classes=1000).state_dict()
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda self, **_: saved)
    ours = models.create(name, stem="imagenet", init="torch", weights="IMAGENET1K_V1", transform_input=True)
    theirs = torchvision.models.get_model(name, init_weights=False, transform_input=True)
    theirs.load_state_dict(saved)
    theirs.fc = ours.fc  # a head of ten classes
    images = torch.randn(1, 3, 80, 80)
    with torch.no_grad():
        assert torch.equal(ours.eval()(images), theirs.eval()(images))


def test_download_that_fails_says_where_from(monkeypatch):
    def fail(self, **_):
        raise OSError("no route to host")

    monkeypatch.setattr(WeightsEnum, "get_state_dict", fail)
    with pytest.raises(CheckpointError, match="cannot be downloaded from https://.*no route to host\nDownload it"):
        models.create("resnet18", stem="imagenet", weights="IMAGENET1K_V1")


@pytest.mark.parametrize("aux_in_file", [False, True])
def test_auxiliary_heads_may_be_missing_on_either_side(tmp_path, aux_in_file):
    saved = models.create("googlenet", aux_logits=aux_in_file, init="torch")
    torch.save(saved.state_dict(), tmp_path / "w.pth")
    net = models.create("googlenet", aux_logits=not aux_in_file, weights=str(tmp_path / "w.pth"))
    assert torch.equal(net.fc.weight, saved.fc.weight)
    assert (net.aux1 is None) == aux_in_file


def test_vgg_of_the_small_stem_takes_the_convolutions_of_the_other(tmp_path):
    saved = models.create("vgg11", stem="small").features.state_dict()
    head = {f"classifier.{i}.{kind}": torch.zeros(1) for i in (0, 3, 6) for kind in ("weight", "bias")}
    torch.save({f"features.{key}": value for key, value in saved.items()} | head, tmp_path / "vgg.pth")
    net = models.create("vgg11", stem="small", weights=str(tmp_path / "vgg.pth"))
    assert all(torch.equal(value, saved[key]) for key, value in net.features.state_dict().items())


def test_checkpoint_of_ours_is_a_source_too(tmp_path):
    module = package.LitCIFARResNet(num_classes=5)
    torch.save({"state_dict": module.state_dict(), "class_path": "x"}, tmp_path / "best.ckpt")
    net = models.create("resnet20", num_classes=3, weights=str(tmp_path / "best.ckpt"))
    assert torch.equal(net.conv1.weight, module.net.conv1.weight)


@pytest.mark.parametrize(
    ("name", "settings", "match"),
    [
        ("resnet34", {"stem": "imagenet"}, "do not fit resnet34: layer1.2.conv1.weight is missing in the weights and"),
        (
            "resnet50",
            {"stem": "imagenet"},
            r"layer1.0.conv1.weight is \[64, 64, 3, 3\] in the weights and \[64, 64, 1, 1\]",
        ),
        ("vgg11", {"stem": "small"}, "do not fit vgg11: features.0.weight is missing in the weights"),
        (
            "resnet18",
            {"stem": "small"},
            "another stem: 7 x 7 pixels in the first kernel, but this resnet18 has 3",
        ),
        (
            "resnet18",
            {"stem": "imagenet", "in_channels": 2},
            "for images of 3 channels, but these have 2.\nUse images",
        ),
    ],
)
def test_weights_of_another_network_are_refused(weights, name, settings, match):
    with pytest.raises(CheckpointError, match=match) as caught:
        models.create(name, weights=weights[1], **settings)
    assert len(str(caught.value).splitlines()) <= 3


def test_files_that_hold_no_weights_are_refused(weights, tmp_path):
    content = Path(weights[1]).read_bytes()
    (tmp_path / "cut.pth").write_bytes(content[: len(content) // 2])
    (tmp_path / "empty.pth").write_bytes(b"")
    torch.save({"epoch": 3}, tmp_path / "other.pth")
    for file, match in {
        "cut.pth": "cut.pth cannot be read; it may be incomplete: .*\nDownload it again, or save",
        "empty.pth": "empty.pth cannot be read; it may be incomplete",
        "other.pth": "other.pth contains no state dict",
        "none.pth": "none.pth: there is no such file. Give a file, or torchvision's name",
    }.items():
        with pytest.raises(CheckpointError, match=match):
            models.create("resnet18", stem="imagenet", weights=str(tmp_path / file))
    with pytest.raises(CheckpointError, match="no such weights for resnet18.* Choices: IMAGENET1K_V1, DEFAULT"):
        models.create("resnet18", stem="imagenet", weights="IMAGENET1K_V9")
    with pytest.raises(CheckpointError, match="torchvision has no weights of zfnet. Give a file"):
        models.create("zfnet", weights="IMAGENET1K_V1")


def test_frozen_body_keeps_its_weights_and_statistics():
    net = models.create("resnet18", freeze_body=True).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    net(torch.randn(4, 3, 8, 8)).sum().backward()
    torch.optim.SGD(net.parameters(), lr=0.1, weight_decay=0.1).step()
    moved = {key for key, value in net.state_dict().items() if not torch.equal(value, before[key])}
    assert moved == {"fc.weight", "fc.bias"}
    assert net.fc.training
    assert not net.bn1.training


def test_frozen_googlenet_trains_the_last_layers_of_all_heads():
    net = models.create("googlenet", freeze_body=True)
    trained = {key.rpartition(".")[0] for key, p in net.named_parameters() if p.requires_grad}
    assert trained == {"fc", "aux1.fc2", "aux2.fc2"}


def test_command_line_fine_tunes_and_reads_back_without_the_file(lit_cnn, weights, tmp_path):
    small = (
        "--data", "SyntheticDataModule", "--data.image_size", "20", "--data.train_images", "40", "--data.test_images",
        "8", "--data.batch_size", "18", "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu",
    )  # fmt: skip
    model = ("--model", "LitResNet", "--model.stem", "imagenet", "--model.freeze_body", "true")
    there = str(shutil.copy(weights[1], tmp_path))
    outcome = lit_cnn("fit", *model, "--model.weights", there, *small)
    assert outcome.code == 0, outcome.err
    Path(there).rename(tmp_path / "away.pth")
    module = package.load("logs/LitResNet/version_0")
    assert torch.equal(module.net.conv1.weight, weights[0].conv1.weight)
    away = str(tmp_path / "away.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "away.pth").read_bytes()[:-5000])
    for settings, match in {
        (there,): "there is no such file. Give a file, or torchvision's name",
        (away, "--model.name", "resnet34"): "do not fit resnet34",
        (away, "--model.stem", "small"): "another stem",
        (str(tmp_path / "cut.pth"),): "cannot be read; it may be incomplete",
    }.items():
        wrong = lit_cnn("fit", *model, *small, "--model.weights", *settings)
        assert (wrong.code, "Traceback" in wrong.err) == (4, False), wrong.err
        assert match in wrong.err
        assert len(wrong.err.splitlines()) <= 3


def test_new_layers_are_no_tensors_of_the_file(weights):
    net = models.create("resnet18", stem="imagenet", weights=weights[1])
    with torch.no_grad():
        net.conv1.weight.zero_()
    assert torch.load(weights[1], weights_only=True)["conv1.weight"].any()
    assert isinstance(net.fc, nn.Linear)

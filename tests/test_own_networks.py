"""Networks by import path: of timm, of torchvision and of a person's own file, through every verb."""

import json
import sys

import pytest
import torch
import yaml
from conftest import SMALL, run_folder
from PIL import Image

import lit_cnn as package
from lit_cnn import LitClassifier
from lit_cnn.errors import CheckpointError, ConfigError
from lit_cnn.models.by_path import Recipe, build_network

OWN = """
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes, in_channels=1, width=4, head=None):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(in_channels, width, 3, 2), nn.BatchNorm2d(width), nn.ReLU())
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.last = nn.Linear(width, num_classes)

    def forward(self, images):
        return self.last(self.pool(self.body(images)))

def make(num_classes, wide=False):
    return Net(num_classes, 3, 8 if wide else 2)
"""
NETWORKS = {
    "timm": ("timm.create_model", "--model.net.model_name", "test_resnet"),
    "torchvision": ("torchvision.models.shufflenet_v2_x0_5",),
    "own": ("my_nets.make", "--model.net.wide", "true", "--allow", "my_nets"),
}


@pytest.fixture
def my_nets(tmp_path, monkeypatch):
    """A module with a network, which is found and not imported yet."""
    (tmp_path / "my_nets.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("my_nets", None)
    yield
    sys.modules.pop("my_nets", None)


@pytest.mark.slow
@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_by_its_path_goes_through_every_verb(lit_cnn, kind, my_nets, tmp_path):
    def run(*argv):
        outcome = lit_cnn(*argv, *allow)
        assert outcome.code == 0, outcome.err
        return outcome

    path, *more = NETWORKS[kind]
    allow = more[more.index("--allow") :] if "--allow" in more else []
    arguments = ["--model", "LitClassifier", "--model.net", path, *more[: len(more) - len(allow)]]
    checked = lit_cnn("check", *arguments, *SMALL, *allow)
    assert f"LitClassifier of {path}(" in checked.out
    assert checked.code in (0, 2), checked.err  # two classes of batch norm without a step may not overfit
    folder = run_folder(run("fit", *arguments, *SMALL).out)
    saved = yaml.safe_load((folder / "config.yaml").read_text())["model"]["init_args"]["net"]
    assert saved["class_path"] == path
    assert "num_classes" not in saved["init_args"]
    results = json.loads((folder / "results.json").read_text())
    tested = run("test", str(folder)).out
    assert f"acc {results['test/acc']:.2%}" in tested
    run("fit", "--resume", str(folder), "--trainer.max_epochs", "3")
    Image.new("RGB", (16, 16), (200, 10, 10)).save(tmp_path / "x.png")
    assert "x.png" in run("classify", str(folder), "x.png").out
    run("explain", str(folder), "x.png")
    exported = run("export", str(folder), "--format", "safetensors").out
    file = f"{Recipe(saved).name}.safetensors"
    assert exported.startswith(f"wrote {file}, ")
    assert "largest difference" in exported
    run("report", str(folder))
    if allow:
        sys.modules.pop("my_nets")
        refused = lit_cnn("classify", str(folder), "x.png")
        assert refused.code == 4
        assert "--allow my_nets, or LIT_CNN_ALLOW=my_nets" in refused.err
    else:
        images = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
        assert torch.allclose(package.load(folder).predict(images), package.load(file).predict(images))


@pytest.mark.parametrize(
    ("net", "message"),
    [
        ("os.system", "networks are imported only from .* you allow.\nRemove it."),
        ("my_nets.Net", "--allow my_nets"),
        ("torch.load", "networks are imported only from"),
        ("torch.nn.modules.module.torch.load", "there is no module torch.nn.modules.module.torch"),
        ("torch.nn.init.zeros_", "zeros_ is not a network"),
        ("timm.list_models", "list_models is not a network"),
        ("torchvision.models.resnet19", "resnet19 is not in torchvision.models. Did you mean 'resnet18'"),
        ("resnet18", "has to be an import path, such as torchvision.models.resnet18, but got 'resnet18'"),
        ({"class_path": "torch.nn.Flatten", "width": 3}, "torch.nn.Flatten: move width below init_args"),
        (
            {"class_path": "torch.nn.Linear", "init_args": {"in_feature": 3}},
            "has no argument 'in_feature'. Did you mean",
        ),
        (
            {"class_path": "torch.nn.Linear", "init_args": {"in_features": "x"}},
            "in_features has to be a whole number, but got 'x'",
        ),
        ({"class_path": "torch.nn.Linear"}, "needs in_features, out_features. Give --model.net.in_features"),
        (
            {"class_path": "timm.create_model", "init_args": {"model_name": "test_resnt"}},
            r"Unknown model \(test_resnt\). Did you mean 'test_resnet'",
        ),
    ],
)
def test_import_paths_that_are_not_networks_are_refused_in_a_sentence(my_nets, net, message):
    with pytest.raises(ConfigError, match=message) as refused:
        LitClassifier(net, num_classes=3)
    assert len(str(refused.value).splitlines()) <= 3
    assert "my_nets" not in sys.modules


def test_classes_channels_and_size_go_to_arguments_of_those_names(my_nets, monkeypatch):
    monkeypatch.setenv("LIT_CNN_ALLOW", "my_nets")
    net = build_network(Recipe("my_nets.Net"), 7, 2, 16)
    assert net.last.out_features == 7
    assert net.body[0].in_channels == 2
    given = Recipe({"class_path": "my_nets.Net", "init_args": {"in_channels": 5}})
    assert build_network(given, 7, 2).body[0].in_channels == 5
    vit = Recipe({"class_path": "timm.create_model", "init_args": {"model_name": "test_vit", "img_size": 16}})
    assert build_network(vit, 3, 1)(torch.zeros(2, 1, 16, 16)).shape == (2, 3)
    ours = Recipe({"class_path": "lit_cnn.models.MLP"})
    assert build_network(ours, 3, 1, (8, 8))(torch.zeros(2, 1, 8, 8)).shape == (2, 3)


def test_flags_of_a_network_change_what_a_config_says(lit_cnn, tmp_path):
    config = {"model": {"class_path": "LitClassifier", "init_args": {"net": {
        "class_path": "timm.create_model", "init_args": {"model_name": "test_resnet", "drop_rate": 0.1}}}}}  # fmt: skip
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))

    def parsed(*flags):
        outcome = lit_cnn("fit", "--config", "mine.yaml", *SMALL, *flags, "--print_config")
        return yaml.safe_load(outcome.out)["model"]["init_args"]["net"]

    assert parsed() == config["model"]["init_args"]["net"]
    assert parsed("--model.net.drop_rate", "0.2")["init_args"] == {"model_name": "test_resnet", "drop_rate": 0.2}
    assert parsed("--model.net.pretrained_cfg_overlay.file", "x")["init_args"]["pretrained_cfg_overlay"] == {
        "file": "x"
    }
    other = parsed("--model.net", "torchvision.models.resnet18")
    assert other == {"class_path": "torchvision.models.resnet18", "init_args": {}}


def test_a_network_given_as_an_object_cannot_be_built_again(tmp_path):
    module = LitClassifier(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2)), 2)
    state = {"class_path": "lit_cnn.training.classifier.LitClassifier", "state_dict": module.state_dict()}
    torch.save(state | {"hyper_parameters": dict(module.hparams), "data": {}}, tmp_path / "x.ckpt")
    with pytest.raises(CheckpointError, match="given as an object.*\n.*net='my_module.MyNet'"):
        package.load(tmp_path / "x.ckpt")


def test_pretrained_weights_of_timm_come_from_a_file_for_other_classes_and_grey_images(lit_cnn, tmp_path):
    theirs = build_network(
        Recipe({"class_path": "timm.create_model", "init_args": {"model_name": "test_resnet"}}), 1000
    )
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    net = ("--model", "LitClassifier", "--model.net", "timm.create_model", "--model.net.model_name", "test_resnet")
    file = ("--model.net.pretrained", "true", "--model.net.pretrained_cfg_overlay.file", "w.pth")
    outcome = lit_cnn("fit", *net, *file, *SMALL, "--data.in_channels", "1", "--model.frozen_epochs", "2")
    assert outcome.code == 0, outcome.err
    assert "starts from timm's weights of test_resnet: the first kernels are summed over the colours" in outcome.out
    (tmp_path / "w.pth").unlink()
    loaded = package.load("logs/test_resnet/version_0").net
    assert torch.allclose(loaded.conv1[0].weight, theirs.conv1[0].weight.sum(1, keepdim=True), atol=1e-6)
    assert loaded.fc.out_features == 3
    missing = lit_cnn("fit", *net, *file, *SMALL)
    assert missing.code == 2
    assert "the pretrained weights of timm.create_model cannot be loaded" in missing.err
    assert len(missing.err.splitlines()) <= 3

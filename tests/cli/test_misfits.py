"""A user's own networks that do not fit the data are refused in a sentence, before the run begins."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from lit_cnn import LitClassifier, LitMLP, SyntheticDataModule
from lit_cnn.cli.misfits import refuse_misfit
from lit_cnn.errors import ConfigError

DATA = (
    "--data", "SyntheticDataModule", "--data.image_size", "12", "--data.num_classes", "3", "--data.in_channels", "1",
    "--data.train_images", "60", "--data.test_images", "20", "--data.batch_size", "16", "--trainer.accelerator", "cpu",
    "--trainer.max_epochs", "1", "--pictures.enabled", "false",
)  # fmt: skip


def network_of(*layers: nn.Module) -> LitClassifier:
    return LitClassifier(nn.Sequential(*layers), num_classes=3)


@pytest.fixture
def data():
    return SyntheticDataModule(in_channels=1, image_size=12, num_classes=3, train_images=60)


class Auxiliary(nn.Module):
    """Gives two outputs in training, as torchvision's GoogLeNet does."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(144, 3)

    def forward(self, images):
        logits = self.layer(images.flatten(1))
        return (logits, logits) if self.training else logits


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(800, 3)], "to have 3 channels, but got 1 channels"),
        ([nn.Flatten(), nn.Linear(784, 3)], "shapes cannot be multiplied"),
        ([nn.Flatten(), nn.Linear(144, 1000)], r"into logits \[batch, 1000\], but .* has 3 classes"),
        ([nn.Linear(12, 3)], r"into logits \[batch, 1, 12, 3\], but"),
        ([Auxiliary()], "into a tuple in training, but"),
    ],
)
def test_a_network_that_does_not_fit_the_images_is_told_so(data, layers, message):
    with pytest.raises(ConfigError, match=message) as refused:
        refuse_misfit(network_of(*layers), data)
    assert "[batch, 1, 12, 12]" in str(refused.value)
    assert len(str(refused.value).splitlines()) <= 3


def test_a_network_that_fits_is_left_as_it_was(data):
    torch.manual_seed(0)
    module = network_of(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.Linear(400, 3))
    module.net[1].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    random = torch.random.get_rng_state()
    refuse_misfit(module, data)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), random)
    assert [m.training for m in module.net] == [True, False, True, True, True]
    refuse_misfit(LitMLP(image_size=99), data)  # ours are built for the data


OWN = """
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes, width=9):
        super().__init__()
        self.layer = nn.Linear(width, num_classes) if width else layer

    def forward(self, images):
        images = images.flatten(1)
        return self.layer(images) if images.shape[1] < 1000 else F.relu(images)

class Late(Net):
    def forward(self, images):
        return super().forward(images) * (1 // (len(images) != 16))

class Inplace(Net):
    def forward(self, images):
        out = super().forward(images).exp()
        out += out * 2
        return out.mul_(out)

def unfinished(num_classes):
    raise ValueError('not yet')
"""


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (["nets.Net"], "nets.py:11 (forward): mat1 and mat2 shapes cannot be multiplied"),
        (["nets.Net", "--data.image_size", "32"], "fails at nets.py:11 (forward):\nNameError: name 'F' is not defined"),
        (["nets.Net", "--model.net.width", "0"], "fails at nets.py:7 (__init__):\nNameError: name 'layer'"),
        (["nets.Late", "--model.net.width", "144"], "fails at nets.py:15 (forward):\nZeroDivisionError"),
        (["nets.unfinished"], "nets.unfinished refuses num_classes 3 (nets.py:24 (unfinished)): not yet"),
        (
            ["nets.Inplace", "--model.net.width", "144"],
            "The backward pass of Inplace fails: one of the variables needed",
        ),
        (["lacking.Net"], "lacking.py:1 (<module>) needs the package no_such_package, which is not installed"),
        (["spoilt.Net"], "fails at spoilt.py:1:\nSyntaxError"),
    ],
)
def test_a_mistake_in_a_network_is_told_with_its_place(lit_cnn, tmp_path, monkeypatch, net, said):
    (tmp_path / "nets.py").write_text(OWN)
    (tmp_path / "spoilt.py").write_text("class Net(:")
    (tmp_path / "lacking.py").write_text("import no_such_package")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        refused = lit_cnn(
            "fit", "--model", "LitClassifier", *DATA, "--model.net", *net, "--allow", "nets,spoilt,lacking"
        )
    finally:
        sys.modules.pop("nets", None)
    assert refused.code == 2, refused.err
    assert said in refused.err
    assert len(refused.err.splitlines()) <= 3
    assert not list(Path().glob("logs/*/*"))


@pytest.mark.parametrize(
    ("net", "message"),
    [
        ({"class_path": "torchvision.models.AlexNet", "init_args": "{num_classes: 3}"}, "to have 3 channels"),
        ({"class_path": "torch.nn.Flatten", "init_args": "{}"}, "into logits [batch, 144]"),
    ],
)
def test_a_network_by_its_class_path_is_refused_before_the_run(lit_cnn, net, message):
    given = ["--model.net", net["class_path"], "--model.net.init_args", net["init_args"]]
    refused = lit_cnn("fit", "--model", "LitClassifier", *given, *DATA)
    assert refused.code == 2, refused.err
    assert message in refused.err
    assert "Traceback" not in refused.err
    assert not list(Path().glob("logs/*/*"))


class LitFixed(LitMLP):
    """A network of lit_cnn in a class of a person's own, which leaves out what the data decide."""

    def __init__(self, num_classes: int = 3):
        super().__init__(3, num_classes, 28)


def test_a_class_of_ones_own_is_checked_though_its_network_is_ours(data):
    with pytest.raises(ConfigError, match="The network LitFixed cannot process the images of Synthetic"):
        refuse_misfit(LitFixed(), data)

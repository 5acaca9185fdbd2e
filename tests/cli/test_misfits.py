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


class Returns(nn.Module):
    """Returns something else than its logits."""

    def __init__(self, change):
        super().__init__()
        self.layer, self.change = nn.Linear(144, 3), change

    def forward(self, images):
        return self.change(self.layer(images.flatten(1)))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(800, 3)], "to have 3 channels, but got 1 channels"),
        ([nn.Flatten(), nn.Linear(784, 3)], "shapes cannot be multiplied"),
        ([nn.Flatten(), nn.Linear(144, 1000)], r"into logits \[batch, 1000\]. .* the 3 classes .*\n.*num_classes 3,"),
        ([nn.Linear(12, 3)], r"into logits \[batch, 1, 12, 3\]\. It"),
        ([Auxiliary()], r"into a tuple in training\. .*\n.*aux_logits false"),
        ([Returns(lambda logits: None)], r"into None\. .*\n.*`return`"),
        ([Returns(lambda logits: {"logits": logits})], r"into a dict\. .*\nReturn the logits alone"),
        ([Returns(lambda logits: logits[:, :, None, None])], r"logits \[batch, 3, 1, 1\]\. .*\n.*\.flatten\(1\)"),
        ([Returns(lambda logits: logits.mean(0, keepdim=True))], r"logits \[1, 3\]\. .*\nKeep the batch"),
        ([Returns(lambda logits: logits.squeeze())], r"\[1, 1, 12, 12\] into logits \[3\]\. .*\n.*no squeeze"),
        ([Returns(lambda logits: logits.long())], r"into int64 numbers\. .*\n.*argmax"),
        ([Returns(lambda logits: logits.detach())], r"numbers without a gradient in training\. .*\n.*detach"),
        ([Returns(lambda logits: (logits - 9e9).log())], "into NaN in training"),
    ],
)
def test_a_network_that_does_not_fit_the_images_is_told_so(data, layers, message):
    with pytest.raises(ConfigError, match=message) as refused:
        refuse_misfit(network_of(*layers), data)
    assert ", 1, 12, 12]" in str(refused.value)
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
import sys
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

def ends(num_classes):
    sys.exit(5)

class Endless(Net):
    def forward(self, images):
        return self(images)

class Silent(Net):
    def forward(self, images):
        assert images.shape[1] == 3

class Misspelt(nn.Module):
    def foward(self, images):
        pass

class NoSuper(nn.Module):
    def __init__(self, num_classes):
        self.layer = nn.Linear(144, num_classes)

class Unmade(nn.Module):
    def __init__(self, num_classes):
        self.num_classes = num_classes

class Listed(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.layers = [nn.Linear(144, num_classes)]

    def forward(self, images):
        return self.layers[0](images.flatten(1))
"""


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (["nets.Net"], "nets.py:12 (forward): RuntimeError: mat1 and mat2 shapes cannot be multiplied"),
        (["nets.Net", "--data.image_size", "32"], "fails at nets.py:12 (forward):\nNameError: name 'F' is not defined"),
        (["nets.Net", "--model.net.width", "0"], "fails at nets.py:8 (__init__):\nNameError: name 'layer'"),
        (["nets.Late", "--model.net.width", "144"], "fails at nets.py:16 (forward):\nZeroDivisionError"),
        (
            ["nets.unfinished"],
            "nets.unfinished with num_classes 3 fails at nets.py:25 (unfinished):\nValueError: not",
        ),
        (
            ["nets.Inplace", "--model.net.width", "144"],
            "pass of the network Inplace, with images [batch, 1, 12, 12], fails at nets.py:18 (class Inplace):\n"
            "RuntimeError: one of the variables needed",
        ),
        (["nets.ends"], "fails at nets.py:28 (ends):\nSystemExit: 5\nRaise an error there"),
        (
            ["nets.Endless", "--model.net.width", "144"],
            "nets.py:32 (forward):\nRecursionError: maximum recursion depth exceeded\nIt calls itself without end",
        ),
        (
            ["nets.Silent", "--model.net.width", "144"],
            "py:36 (forward):\nAssertionError: assert images.shape[1] == 3",
        ),
        (["nets.Misspelt"], "fails at nets.py:38 (class Misspelt):\nNotImplementedError: Module [Misspelt] is missing"),
        (
            ["nets.NoSuper"],
            "fails at nets.py:44 (__init__):\nAttributeError: cannot assign module before",
        ),
        (["nets.Unmade"], "nets.py:46 (class Unmade) has no super().__init__(). Call it first in __init__."),
        (["nets.Listed"], "The network Listed cannot be trained: it has no parameters.\nLayers in a Python list are"),
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
    assert said in refused.err.replace(" while calling a Python object", "")  # as Python adds at some depths
    assert len(refused.err.splitlines()) <= 3
    assert not list(Path().glob("logs/*/*"))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("LitMine", "there is no class mine.LitMine (command line). Did you mean 'LitMin'? The classes in mine are"),
        ("LitMin", "Your own code fails at mine.py:6 (__init__):\nZeroDivisionError"),
    ],
)
def test_a_class_of_ones_own_is_looked_for_in_its_module(lit_cnn, tmp_path, monkeypatch, model, said):
    (tmp_path / "mine.py").write_text(
        "from lit_cnn import LitClassifier\n\n\n"
        "class LitMin(LitClassifier):\n    def __init__(self, num_classes: int = 3):\n        1 / 0\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    try:
        refused = lit_cnn("fit", "--model", f"mine.{model}", *DATA, "--allow", "mine")
    finally:
        sys.modules.pop("mine", None)
    assert (refused.code, said in refused.err) == (2, True), refused.err


def test_a_module_of_ones_own_that_fails_is_told_with_its_place(lit_cnn, tmp_path, monkeypatch):
    (tmp_path / "fails.py").write_text("import sys\n\nsys.exit('usage: mine.py FILE')\n")
    (tmp_path / "lacks.py").write_text("from lit_cnn import NoSuchName\n")
    monkeypatch.syspath_prepend(tmp_path)
    for model, said in (
        ("fails.LitMine", "fails.py:3 (<module>):\nSystemExit: usage: mine.py FILE"),
        ("lacks.LitMine", "lacks.py:1 (<module>):\nImportError: cannot import name 'NoSuchName'"),
    ):
        refused = lit_cnn("fit", "--model", model, *DATA, "--allow", "fails,lacks")
        assert (refused.code, said in refused.err) == (2, True), refused.err


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

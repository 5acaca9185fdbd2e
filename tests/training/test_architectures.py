"""The Lit classes of the catalogue from the command line, and networks of a user's own."""

import inspect

import docstring_parser
import pytest
import torch

import lit_cnn as package
from lit_cnn import models
from lit_cnn.training import architectures
from lit_cnn.training.lit_network import LitNetwork
from lit_cnn.typed_arguments import subclasses_of
from scripts import make_stubs

LIT_CLASSES = [c for c in subclasses_of(LitNetwork) if c.__module__ == architectures.__name__]

SMALL = (
    "--data", "SyntheticDataModule", "--data.image_size", "8", "--data.train_images", "40", "--data.test_images", "8",
    "--data.batch_size", "18", "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu",
)  # fmt: skip


def test_command_line_takes_name_and_stem(lit_cnn):
    outcome = lit_cnn("fit", "--model", "LitResNet", "--model.name", "resnet18", "--model.stem", "auto", *SMALL)
    assert outcome.code == 0, outcome.err
    assert "LitResNet (11,173,962 parameters)" in outcome.out


@pytest.mark.parametrize(
    ("argv", "match"),
    [
        (["LitResNet", "--model.name", "resnet180"], "model.name: resnet180 (command line) has to be one of"),
        (["LitResNet", "--model.name", "resnet25"], "Did you mean 'resnet18'?"),
        (["LitResNet", "--model.name", "resnet20"], "Use --model LitCIFARResNet --model.name resnet20."),
        (
            ["LitMLP", "--model.hidden", "[8, 0]"],
            "model.hidden: [8, 0] (command line) has to be a list such as [1, 2] (each a whole",
        ),
        (
            ["LitMLP", "--model.optimizer_args", "{fused: x}"],
            "Adam's fused in `optimizer_args` has to be True or False",
        ),
        (["LitResnet"], "Did you mean 'LitResNet'?"),
        (["LitAlexNet", "--model.stem", "imagenet"], "at least 63 pixels, but got 8 x 8. Set `stem: small`"),
        (["LitVGG", "--model.name", "vgg16_bn"], "vgg16_bn with the stem small needs images of at least 17 pixels"),
        (
            ["LitCIFARResNet", "--model.stem", "small"],
            "Unknown key model.stem: small (command line). Lit",
        ),
        (["LitCIFARResNet", "--model.stem", "small"], "fit --model.help LitCIFARResNet lists its arguments."),
        (["LitResNet", "--model.stem", "cifar"], "has to be one of imagenet, small, auto."),
        (
            ["resnet18"],
            "there is no class resnet18 (command line). Use --model LitResNet --model.name resnet18.",
        ),
        (["AlexNet"], "model: there is no class AlexNet (command line). Use --model LitAlexNet."),
        (["LitLeNet", "--data.in_channels", "3"], "Write it after --data SyntheticDataModule."),
    ],
)
def test_wrong_networks_are_refused(lit_cnn, argv, match):
    outcome = lit_cnn("fit", "--model", *argv, *SMALL)
    assert outcome.code == 2
    assert match in outcome.err
    assert len(outcome.err.splitlines()) <= 3


OWN = '''
from torch import nn
from lit_cnn import LitClassifier


class LitMine(LitClassifier):
    """A network of mine."""

    def __init__(self, in_channels=1, num_classes=10, image_size=28, width: int = 8, **kwargs):
        pixels = nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * in_channels, width)
        super().__init__(nn.Sequential(*pixels, nn.ReLU(), nn.Linear(width, num_classes)), num_classes, **kwargs)
'''


def test_network_of_a_users_own_goes_by_its_class_path(lit_cnn, tmp_path, monkeypatch):
    (tmp_path / "somebodys.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    assert (
        "If you trust it: --allow somebodys, or LIT_CNN_ALLOW=somebodys"
        in lit_cnn("fit", "--model", "somebodys.LitMine", *SMALL).err
    )
    monkeypatch.setenv("LIT_CNN_ALLOW", "somebodys")
    outcome = lit_cnn("fit", "--model", "somebodys.LitMine", "--model.width", "5", *SMALL)
    assert outcome.code == 0, outcome.err
    module = package.load("logs/LitMine/version_0")
    assert type(module).__name__ == "LitMine"
    assert module.net[2].out_features == 5
    wrong = lit_cnn("fit", "--model", "somebodys.LitYours", *SMALL)
    assert wrong.code == 2
    assert "model: there is no class somebodys.LitYours (command line)" in wrong.err


def test_checkpoint_builds_the_network_that_was_trained(lit_cnn):
    argv = ("--model", "LitGoogLeNet", "--model.aux_weight", "0.1", "--model.true_5x5", "true")
    short = ("--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1")
    assert lit_cnn("fit", *argv, *SMALL, *short).code == 0
    module = package.load("logs/LitGoogLeNet/version_0")
    assert module.hparams["aux_weight"] == 0.1
    same = models.create("googlenet", image_size=8, true_5x5=True, init="torch")
    same.load_state_dict(module.net.state_dict())
    images = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(same.eval()(images), module(images))


@pytest.mark.parametrize("cls", LIT_CLASSES, ids=lambda cls: cls.__name__)
def test_every_argument_of_a_network_is_explained(cls):
    explained = {param.arg_name for param in docstring_parser.parse(cls.__doc__).params}
    assert set(inspect.signature(cls).parameters) - explained == set()


def test_editors_know_the_arguments_of_today():
    assert make_stubs.TARGET.read_text() == make_stubs.stub(), "run python scripts/make_stubs.py"

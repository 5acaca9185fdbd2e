"""The recipes of the papers: each is an argument that reaches the network from the Lit class."""

import math

import pytest
import torch
import yaml
from torch import nn

import lit_cnn as package


def build(lit_class, **settings):
    return getattr(package, lit_class)(**settings)


def shares_dropped(module):
    return [m.p for m in module.modules() if isinstance(m, nn.Dropout)]


@pytest.mark.parametrize(
    ("name", "settings", "default", "layers"),
    [
        ("LitAlexNet", {"hidden": 8}, 0.5, 2),  # Krizhevsky et al. 2012, section 4.2
        ("LitZFNet", {"hidden": 8}, 0.5, 2),  # Zeiler & Fergus 2014, section 3
        ("LitVGG", {"name": "vgg11", "stem": "imagenet"}, 0.5, 2),  # Simonyan & Zisserman 2015, section 3.1
        ("LitGoogLeNet", {"aux_weight": 0}, 0.2, 1),  # torchvision's; Szegedy et al. 2015, section 5, have 0.4
        ("LitInceptionV2", {}, 0.0, 1),  # Ioffe & Szegedy 2015, section 4.2.1: none is needed
        ("LitInceptionV3", {"aux_weight": 0}, 0.5, 1),  # torchvision's
        ("LitPreActResNet", {"name": "wide_resnet16_4"}, 0.0, 6),  # Zagoruyko & Komodakis 2016, section 2.4
    ],
)
def test_dropout_is_an_argument(name, settings, default, layers):
    with torch.device("meta"):
        assert shares_dropped(build(name, **settings)) == layers * [default]
        assert shares_dropped(build(name, **settings, dropout=0.35)) == layers * [0.35]


def test_dropout_of_auxiliary_heads_is_the_papers():
    assert shares_dropped(build("LitGoogLeNet", init="torch")) == [0.7, 0.7, 0.2]
    assert shares_dropped(build("LitGoogLeNet", init="torch", dropout=0.4, dropout_aux=0.1)) == [0.1, 0.1, 0.4]


@pytest.mark.parametrize(("name", "default"), [("LitAlexNet", False), ("LitZFNet", True), ("LitGoogLeNet", False)])
def test_local_response_norm_is_an_argument(name, default):
    with torch.device("meta"):
        for settings, expected in (({}, default), ({"lrn": True}, True), ({"lrn": False}, False)):
            norms = [m for m in build(name, **settings).modules() if isinstance(m, nn.LocalResponseNorm)]
            assert len(norms) == 2 * expected, settings


def deviations(module, kinds=(nn.Conv2d, nn.Linear)):
    """Returns standard deviation and layer for each that has enough weights to tell."""
    return {
        key: (float(m.weight.detach().std()), m)
        for key, m in module.net.named_modules()
        if isinstance(m, kinds) and m.weight.numel() > 4000
    }


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("LitAlexNet", {"init": "paper", "hidden": 256}),
        ("LitZFNet", {"init": "paper", "hidden": 256, "widths": [16, 32, 32, 32, 32]}),
        ("LitVGG", {"init": "paper", "name": "vgg11"}),
    ],
)
def test_older_networks_start_with_a_deviation_of_a_hundredth(name, settings):
    found = deviations(build(name, **settings))
    assert len(found) >= 4
    assert {key: std for key, (std, _) in found.items() if std != pytest.approx(0.01, rel=0.05)} == {}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("LitVGG", {"name": "vgg11"}),
        ("LitResNet", {}),
        ("LitCIFARResNet", {}),
        ("LitPreActResNet", {"name": "wide_resnet16_4"}),
    ],
)
def test_residual_networks_and_vgg_start_as_hes(name, settings):
    found = deviations(build(name, **settings), nn.Conv2d)
    assert len(found) >= 5
    for key, (std, layer) in found.items():
        outputs = layer.out_channels * layer.kernel_size[0] ** 2
        assert std == pytest.approx(math.sqrt(2 / outputs), rel=0.08), key


@pytest.mark.parametrize(("name", "truncated"), [("LitGoogLeNet", 0.01), ("LitInceptionV3", 0.1)])
def test_inception_networks_start_truncated_or_as_torch(name, truncated):
    by_paper = build(name, aux_weight=0)
    key, (std, _) = next(iter(deviations(by_paper, nn.Conv2d).items()))
    assert std == pytest.approx(truncated, rel=0.05)
    layer = dict(build(name, aux_weight=0, init="torch").net.named_modules())[key]
    uniform = 1 / math.sqrt(layer.weight[0].numel())
    assert float(layer.weight.detach().abs().max()) <= uniform
    assert float(layer.weight.detach().std()) == pytest.approx(uniform / math.sqrt(3), rel=0.05)


@pytest.mark.parametrize(
    ("name", "settings", "block_in"),
    [
        ("LitResNet", {"name": "resnet18"}, "layer1.1"),
        ("LitResNet", {"name": "resnext50_32x4d"}, "layer1.1"),
        ("LitCIFARResNet", {"name": "resnet20"}, "stages.0.1"),
        ("LitPreActResNet", {}, "stages.0.1"),
    ],
)
@pytest.mark.parametrize("zero", [True, False])
def test_zero_initialised_branches_are_an_argument(name, settings, block_in, zero):
    net = build(name, **settings, **({"zero_init_residual": True} if zero else {})).net
    block = net.get_submodule(block_in)
    maps = torch.rand(2, block.conv1.in_channels, 4, 4)  # above 0, so that a last ReLU changes nothing
    with torch.no_grad():
        assert torch.equal(block(maps), maps) == zero


@pytest.mark.parametrize("name", ["LitLeNet", "LitInceptionV3"])
def test_label_smoothing_is_an_argument_of_every_network(name):
    smoothing = 0.1  # Szegedy et al. 2016, section 7
    module = build(name, label_smoothing=smoothing, image_size=32, num_classes=4).eval()
    images, labels = torch.randn(3, 3, 32, 32), torch.tensor([0, 3, 1])
    with torch.no_grad():
        logits, loss = module.loss_of(images, labels)
    targets = torch.full((3, 4), smoothing / 4)
    for row, label in zip(targets, labels, strict=True):
        row[label] += 1 - smoothing
    torch.testing.assert_close(loss, -(targets * logits.log_softmax(1)).sum(1).mean())


def test_alexnets_config_has_the_papers_dropout(lit_cnn):
    printed = yaml.safe_load(lit_cnn("fit", "--config", "alexnet_cifar", "--print_config").out)
    assert printed["model"]["init_args"]["dropout"] == 0.5  # Krizhevsky et al. 2012, section 4.2


def test_noise_on_colours_is_of_the_datas_own_covariance():
    data = package.SyntheticDataModule(
        train_images=60, test_images=10, image_size=8, in_channels=3, batch_size=30, augment=[package.PCANoise()]
    )
    data.setup("fit")
    pixels = data.read("train").images.permute(1, 0, 2, 3).flatten(1).double() / 255
    expected = torch.cov(pixels, correction=0)
    torch.testing.assert_close(data.augment[0].covariance.double(), expected, rtol=1e-4, atol=1e-7)

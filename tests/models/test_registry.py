"""What holds for every network of the catalogue: size, smallest image, a step, and equality with torchvision's."""

import re
from pathlib import Path

import pytest
import torch
import yaml
from large import LARGE, marked
from torch import nn

import lit_cnn as package
from lit_cnn import models
from lit_cnn.models import stem as stem_module
from lit_cnn.models.registry import ARCHITECTURES
from scripts.verification.against_torchvision import compare_runs, compare_state_dicts
from scripts.verification.sizes import SHARED, compare_parameters, on_meta, parameters_of, reference_of
from scripts.verification.steps import has_idle_bias

CONFIGS = Path(__file__).parents[2] / "configs"
WITH_STEMS = [(name, stem) for name, entry in ARCHITECTURES.items() for stem in entry.stems or [None]]
# Equality with torchvision's is tried for each kind of block, a step also for the deepest: the state dicts hold the
# sizes of the others, and scripts/verify_architectures.py takes a step with all.
EACH_KIND = {"alexnet", "vgg11", "vgg16_bn", "googlenet", "inception_v3", "resnet18", "resnet50", "resnext50_32x4d"}
DEEPEST = {"zfnet", "vgg19", "resnet152", "resnet110", "resnext29_8x64d"}


def test_catalogue_has_what_torchvision_has():
    assert len(SHARED) == 20
    assert all(ARCHITECTURES[name].stems for name in SHARED)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameters_are_those_of_torchvision_or_of_the_paper(name):
    reference = reference_of(name)
    if reference is None:
        pytest.skip(f"no published number of parameters for {name} in scripts/verification/sizes.py")
    cell = compare_parameters(name, reference)
    assert cell.ours == cell.theirs, reference.source


def test_networks_of_the_permutation_question_match_in_size():
    sizes = {name: parameters_of(models.create(name)) for name in ("mlp", "cnn", "pointwise_cnn", "dilated_cnn")}
    assert sizes == {"mlp": 6_442, "cnn": 6_422, "pointwise_cnn": 6_448, "dilated_cnn": 6_430}


@pytest.mark.parametrize("name", marked(SHARED))
def test_state_dict_has_torchvisions_keys_and_shapes(name):
    cell = compare_state_dicts(name)
    assert cell.ours == cell.theirs


@pytest.mark.parametrize("name", marked(sorted(EACH_KIND), EACH_KIND - {"resnet18", "googlenet"}))
def test_logits_loss_and_gradients_equal_torchvisions(name):
    cells = compare_runs(name)
    assert {what: str(cell) for what, cell in cells.items()} == dict.fromkeys(("logits", "loss", "gradients"), "equal")


class HalvesNothing(Exception):
    pass


def check_strides(net, size, channels):
    """Runs the network on images of this size, and makes sure that no layer halves a single pixel."""

    def look(module, inputs):
        stride = getattr(module, "stride", 1)
        if max(stride if isinstance(stride, tuple) else (stride,)) > 1 and min(inputs[0].shape[2:]) < 2:
            raise HalvesNothing

    looking = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
    hooks = [module.register_forward_pre_hook(look) for module in net.modules() if isinstance(module, looking)]
    try:
        return net.train()(torch.zeros(2, channels, size, size, device="meta"))
    finally:
        for hook in hooks:
            hook.remove()


def scaled(images, mean, variance, weight=None, bias=None, *_):
    """What batch norm does with its parameters; the rest takes torch nine tenths of the time on the device meta."""
    shape = (-1, *[1] * (images.dim() - 2))
    return images if weight is None else images * weight.view(shape) + bias.view(shape)


@pytest.mark.parametrize(
    ("name", "stem"),
    [pytest.param(n, stem, marks=pytest.mark.slow) if n in LARGE else (n, stem) for n, stem in WITH_STEMS],
)
def test_smallest_image_gives_each_stride_two_pixels_and_reaches_every_parameter(name, stem, monkeypatch):
    monkeypatch.setattr(nn.functional, "batch_norm", scaled)
    entry = ARCHITECTURES[name]
    smallest = entry.stems[stem] if stem else entry.smallest
    channels = 3 if stem == "imagenet" else 1
    settings = {"in_channels": channels, "num_classes": 3} | ({"stem": stem} if stem else {})
    net = on_meta(name, image_size=smallest, **settings)
    logits = check_strides(net, smallest, channels)
    assert logits.shape == (2, 3)
    if hasattr(net, "forward_with_aux"):  # whose heads want larger maps
        side = 224 if stem == "imagenet" else 28
        assert all(head.shape == (2, 3) for head in step(net, torch.zeros(2, channels, side, side, device="meta")))
    else:
        logits.square().sum().backward()
    assert [key for key, p in net.named_parameters() if p.requires_grad and p.grad is None] == []
    if smallest == 1:
        return
    with pytest.raises(ValueError, match=f"at least {smallest} pixels, but got {smallest - 1} x {smallest - 1}"):
        on_meta(name, image_size=smallest - 1, **settings)
    if name in ("cnn", "lenet"):
        return  # their linear layers are made for one size
    with pytest.raises((HalvesNothing, RuntimeError)):  # with the refusal out of the way, a layer fails
        check_strides(net, smallest - 1, channels)


def step(net, images):
    """Goes forward and back; returns the logits of all heads."""
    if hasattr(net, "forward_with_aux"):
        logits, aux = net.forward_with_aux(images)
        heads = [logits, *aux]
    else:
        heads = [net(images)]
    sum(head.float().square().sum() for head in heads).backward()
    return heads


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp", "cnn", "dilated_cnn", "vgg8_bn", "googlenet", "resnet20", "airbench94"])
def test_a_step_in_bfloat16_moves_every_parameter(name):
    """Many CPUs emulate it; scripts/verify_architectures.py takes such a step with all networks."""
    check_step(name, bf16=True)


@pytest.mark.parametrize("name", marked([n for n in ARCHITECTURES if n not in LARGE - DEEPEST]))
def test_a_step_moves_every_parameter(name):
    check_step(name, bf16=False)


def check_step(name, bf16):
    shape = {"alexnet": (3, 64, 64), "vgg8_bn": (3, 32, 32)}.get(name, (1, 28, 28))
    torch.manual_seed(5)
    net = models.create(name, in_channels=shape[0], image_size=shape[1:], num_classes=3)
    if name in ("alexnet", "zfnet"):
        net = net.eval()  # dropout takes whole inputs away
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        heads = step(net, torch.randn(4, *shape))
    assert all(head.isfinite().all() for head in heads)
    trained = {key: p for key, p in net.named_parameters() if p.requires_grad and not has_idle_bias(net, key)}
    assert [key for key, p in trained.items() if not p.grad.any()] == []
    torch.optim.SGD(net.parameters(), lr=1e-3).step()
    again = on_meta(name, in_channels=shape[0], image_size=shape[1:], num_classes=3)
    again.load_state_dict(net.state_dict(), assign=True)
    with torch.no_grad():
        assert torch.equal(net.eval()(torch.ones(2, *shape)), again.eval()(torch.ones(2, *shape)))


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n, entry in ARCHITECTURES.items() if entry.stems and n not in SHARED])
def test_imagenet_stem_takes_a_step_on_imagenet_images(name):
    net = models.create(name, image_size=224, stem="imagenet")
    heads = step(net, torch.randn(1, 3, 224, 224))
    assert all(head.shape == (1, 10) and head.isfinite().all() for head in heads)
    assert [key for key, p in net.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(("size", "kernel"), [(28, 3), (64, 3), ((64, 96), 3), (65, 7), (224, 7)])
def test_auto_takes_the_stem_by_the_shorter_side(size, kernel):
    assert on_meta("resnet18", image_size=size).conv1.kernel_size == (kernel, kernel)
    assert stem_module.choose_stem("auto", size) == ("small" if kernel == 3 else "imagenet")


def test_wrong_stems_and_sizes_are_refused_with_a_remedy():
    with pytest.raises(ValueError, match="`stem` has to be imagenet, small or auto, but got 'cifar'"):
        models.create("resnet18", stem="cifar")
    with pytest.raises(ValueError, match="alexnet with the stem imagenet .* Set `stem: small`, or use another"):
        models.create("alexnet", stem="imagenet", image_size=32)
    with pytest.raises(ValueError, match="resnet20 needs images of at least 3 .* Use larger images, or another"):
        models.create("resnet20", image_size=2)


@pytest.mark.parametrize("network", [models.ResNet, models.CIFARResNet, models.PreActResNet, models.VGG])
def test_families_name_their_members(network):
    with pytest.raises(ValueError, match=r"`name` has to be one of \w+, .*, but got 'resnet19'"):
        network("resnet19")


def test_configs_name_the_parameters_of_their_networks():
    counted = {}
    for path in sorted(CONFIGS.glob("*.yaml")):
        text = path.read_text()
        header = " ".join(line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#"))
        if not (match := re.search(r"([\d,]+) parameters", header)):
            continue
        config = yaml.safe_load(text)
        shape = {"CIFAR10DataModule": (3, 32), "MNISTDataModule": (1, 28)}[config["data"]["class_path"]]
        cls = getattr(package, config["model"]["class_path"])
        with torch.device("meta"):
            module = cls(in_channels=shape[0], image_size=shape[1], **config["model"]["init_args"])
        counted[path.stem] = (match[1], f"{parameters_of(module):,}")
    assert [name for name, (said, is_) in counted.items() if said != is_] == []
    assert len(counted) >= 20

"""ResNet, ResNeXt and Wide ResNet against torchvision's, which is the reference."""

import pytest
import torch
import torchvision
from torch import nn

from lit_cnn import models
from lit_cnn.models.resnet import VARIANTS

FAST = ["resnet18", "resnet50", "resnext50_32x4d"]


def test_every_variant_has_torchvisions_keys_and_shapes():
    for name in VARIANTS:
        with torch.device("meta"):
            ours = models.create(name, num_classes=1000, stem="imagenet")
            theirs = torchvision.models.get_model(name)
        assert {k: v.shape for k, v in ours.state_dict().items()} == {
            k: v.shape for k, v in theirs.state_dict().items()
        }
        assert [k for k, _ in ours.named_modules()] == [k for k, _ in theirs.named_modules()]


@pytest.mark.parametrize("name", FAST)
def test_logits_loss_and_gradients_equal_torchvisions(name):
    torch.manual_seed(3)
    ours = models.create(name, stem="imagenet", zero_init_residual=True)
    torch.manual_seed(3)
    theirs = torchvision.models.get_model(name, num_classes=10, zero_init_residual=True)
    images, labels = torch.randn(3, 3, 36, 48), torch.tensor([0, 4, 9])
    losses = []
    for net in (ours, theirs):
        losses.append(nn.functional.cross_entropy(net(images), labels))
        losses[-1].backward()
    assert torch.equal(*losses)
    for (key, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine.grad, other.grad), key
    with torch.no_grad():
        assert torch.equal(ours.eval()(images), theirs.eval()(images))  # the running statistics have moved too


def test_small_stem_leaves_the_image_whole():
    net = models.create("resnet18", stem="small")
    assert sum(p.numel() for p in net.parameters()) == 11_173_962
    with torch.no_grad():
        stage = net.layer1(net.maxpool(net.relu(net.bn1(net.conv1(torch.randn(1, 3, 32, 32))))))
    assert stage.shape == (1, 64, 32, 32)


@pytest.mark.parametrize(("size", "kernel"), [(28, 3), (64, 3), ((64, 96), 3), (65, 7), (224, 7)])
def test_auto_takes_the_stem_by_the_shorter_side(size, kernel):
    with torch.device("meta"):
        assert models.create("resnet18", image_size=size).conv1.kernel_size == (kernel, kernel)


@pytest.mark.parametrize("stem", ["imagenet", "small"])
def test_first_convolution_of_greyscale_images_starts_as_hes(stem):
    weight = models.create("resnet18", in_channels=1, stem=stem).conv1.weight.detach()
    taps = 49 if stem == "imagenet" else 9
    assert weight.shape[1] == 1
    assert float(weight.std()) == pytest.approx((2 / (64 * taps)) ** 0.5, rel=0.1)


@pytest.mark.parametrize(("stem", "smallest"), [("imagenet", 17), ("small", 5)])
def test_too_small_images_are_refused_with_a_remedy(stem, smallest):
    net = models.create("resnet18", stem=stem, image_size=smallest)
    assert net(torch.randn(2, 3, smallest, smallest)).shape == (2, 10)
    remedy = "Set `stem: small`" if stem == "imagenet" else "Take larger images"
    size = smallest - 1
    with pytest.raises(ValueError, match=f"at least {smallest} pixels, but got {size} x {size}. {remedy}"):
        models.create("resnet18", stem=stem, image_size=size)


def test_unknown_variant_and_stem_are_refused():
    with pytest.raises(ValueError, match="`name` is one of resnet18, .*, but got 'resnet19'"):
        models.ResNet("resnet19")
    with pytest.raises(ValueError, match="`stem` is imagenet, small or auto, but got 'cifar'"):
        models.create("resnet18", stem="cifar")


def test_command_line_takes_name_and_stem(lit_cnn):
    outcome = lit_cnn(
        "fit", "--model", "LitResNet", "--model.name", "resnet18", "--model.stem", "auto", "--data",
        "SyntheticDataModule", "--data.image_size", "8", "--data.train_images", "40", "--data.test_images", "8",
        "--data.batch_size", "18",
        "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "LitResNet (11,173,962 parameters)" in outcome.out
    wrong = lit_cnn("fit", "--model", "LitResNet", "--model.name", "resnet19", "--data", "SyntheticDataModule")
    assert wrong.code == 2
    assert "model.name: resnet19 (command line)" in wrong.err

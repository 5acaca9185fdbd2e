"""What single networks have of their own: normalisation, initialisation, auxiliary heads, what permutations do."""

import lightning.pytorch as L
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lit_cnn as package
from lit_cnn import models
from lit_cnn.models.cifar_resnet import PaddedShortcut
from lit_cnn.models.layers import local_response_norm


def test_local_response_norm_is_the_papers():
    maps = torch.rand(2, 7, 3, 2) * 40
    expected = torch.empty_like(maps)
    for i in range(7):  # Krizhevsky et al. 2012, section 3.3
        neighbours = range(max(0, i - 2), min(6, i + 2) + 1)
        squares = sum(maps[:, j] ** 2 for j in neighbours)
        expected[:, i] = maps[:, i] / (2 + 1e-4 * squares) ** 0.75
    torch.testing.assert_close(local_response_norm()(maps), expected)


@pytest.mark.parametrize("name", ["alexnet", "googlenet"])
def test_local_response_norm_leaves_the_state_dict_alone(name):
    torch.manual_seed(2)
    plain = models.create(name, dropout=0.0)
    torch.manual_seed(2)
    normed = models.create(name, lrn=True, dropout=0.0)
    assert list(plain.state_dict()) == list(normed.state_dict())
    count = sum(isinstance(m, nn.LocalResponseNorm) for m in normed.modules())
    assert count == 2
    images = 100 * torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert not torch.allclose(plain(images), normed(images))


def test_alexnet_starts_as_the_paper_says():
    net = models.create("alexnet", init="paper", hidden=512)
    layers = [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    for layer in layers:
        assert float(layer.weight.detach().std()) == pytest.approx(0.01, rel=0.05)
    assert [float(layer.bias.detach().mean()) for layer in layers] == [0, 1, 0, 1, 1, 1, 1, 0]


@pytest.mark.parametrize(("name", "init"), [("vgg8_bn", "torch"), ("vgg11", "he")])
def test_vgg_starts_as_torch_or_as_torchvision(name, init):
    weights = []
    for settings in ({}, {"init": init}, {"init": "paper"}):
        torch.manual_seed(6)
        weights.append(models.create(name, **settings).features[0].weight.detach())
    assert torch.equal(weights[0], weights[1])
    assert float(weights[2].std()) == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize("stem", ["imagenet", "small"])
def test_first_convolution_of_greyscale_images_starts_as_hes(stem):
    weight = models.create("resnet18", in_channels=1, stem=stem).conv1.weight.detach()
    taps = 49 if stem == "imagenet" else 9
    assert weight.shape[1] == 1
    assert float(weight.std()) == pytest.approx((2 / (64 * taps)) ** 0.5, rel=0.1)


@pytest.mark.parametrize("size", [4, 5])
def test_padded_shortcut_thins_and_adds_zeros(size):
    maps = torch.randn(2, 3, size, size)
    out = PaddedShortcut(stride=2, missing=4)(maps)
    assert out.shape == (2, 7, (size + 1) // 2, (size + 1) // 2)
    for i in range(0, size, 2):
        for j in range(0, size, 2):
            assert torch.equal(out[:, :3, i // 2, j // 2], maps[:, :, i, j])
    assert not out[:, 3:].any()


def test_true_5x5_is_the_papers_kernel():
    net = models.create("googlenet", true_5x5=True)
    assert net.inception3a.branch3[1].conv.weight.shape == (32, 16, 5, 5)  # table 1, line 3a
    assert net.inception5b.branch3[1].conv.weight.shape == (128, 48, 5, 5)
    assert net(torch.randn(2, 3, 32, 32)).shape == (2, 10)


def test_inception_v2_leaves_the_papers_maps():
    net = models.create("inception_v2", image_size=224, stem="imagenet").to("meta")
    maps = net.stem(torch.zeros(1, 3, 224, 224, device="meta"))
    sizes = [tuple(maps.shape[1:])]
    for block in net.blocks:
        maps = block(maps)
        sizes.append(tuple(maps.shape[1:]))
    widths = [256, 320, 576, 576, 576, 608, 608, 1056, 1024, 1024]
    sides = [28, 28, 14, 14, 14, 14, 14, 7, 7, 7]
    assert sizes == [(192, 28, 28)] + [(w, s, s) for w, s in zip(widths, sides, strict=True)]


@pytest.mark.parametrize(("name", "heads"), [("LitGoogLeNet", 2), ("LitInceptionV3", 1)])
def test_auxiliary_heads_count_in_training_alone(name, heads):
    module = getattr(package, name)(image_size=16, num_classes=3, aux_weight=0.5, dropout=0.0)
    images, labels = torch.randn(4, 3, 16, 16), torch.tensor([0, 1, 2, 0])
    torch.manual_seed(7)
    logits, loss = module.train().loss_of(images, labels)
    torch.manual_seed(7)
    again, aux = module.net.forward_with_aux(images)
    assert len(aux) == heads
    expected = nn.functional.cross_entropy(again, labels)
    for head in aux:
        expected = expected + 0.5 * nn.functional.cross_entropy(head, labels)
    torch.testing.assert_close(loss, expected)
    assert torch.equal(logits, again)
    assert module.net.eval().forward_with_aux(images)[1] == []
    assert module.net.train()(images).shape == (4, 3)
    without = getattr(package, name)(image_size=16, num_classes=3, aux_weight=0)
    assert not [key for key in without.state_dict() if "aux" in key.lower()]


def test_training_step_learns_by_the_auxiliary_heads():
    torch.manual_seed(8)
    module = package.LitGoogLeNet(image_size=8, num_classes=3, optimizer="SGD", lr=0.1)
    before = module.net.aux1.fc2.weight.detach().clone()
    data = DataLoader(TensorDataset(torch.randn(8, 3, 8, 8), torch.arange(8) % 3), batch_size=8)
    trainer = L.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, data)
    assert not torch.equal(module.net.aux1.fc2.weight, before)


def test_networks_of_1x1_convolutions_see_no_order():
    images = torch.randn(3, 1, 28, 28, dtype=torch.float64)
    permuted = images.flatten(2)[:, :, torch.randperm(784)].reshape(images.shape)
    for name, blind in (("pointwise_cnn", True), ("dilated_cnn", False), ("cnn", False)):
        net = models.create(name).double()
        assert torch.allclose(net(images), net(permuted), rtol=0, atol=1e-12) == blind


def test_dilated_network_sees_31_pixels():
    net = models.create("dilated_cnn").double()
    images = torch.randn(1, 1, 41, 41, dtype=torch.float64, requires_grad=True)
    net.features(images)[0, :, 20, 20].sum().backward()
    rows, columns = images.grad[0, 0].nonzero().T
    for axis in (rows, columns):
        assert (int(axis.min()), int(axis.max())) == (5, 35)

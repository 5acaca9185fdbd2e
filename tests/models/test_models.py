import pytest
import torch

from lit_cnn import models
from lit_cnn.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "parameters"), [("mlp", 6_442), ("cnn", 6_422), ("lenet", 62_006), ("vgg8_bn", 9_231_114)]
)
def test_models_have_the_parameters_of_the_exercise(name, parameters):
    assert sum(p.numel() for p in models.create(name).parameters()) == parameters


@pytest.mark.parametrize(
    ("name", "shape"),
    [("mlp", (1, 28, 28)), ("cnn", (1, 28, 28)), ("lenet", (3, 32, 32)), ("vgg8_bn", (3, 32, 32))],
)
def test_models_give_every_parameter_a_gradient(name, shape):
    net = models.create(name)
    logits = net(torch.randn(4, *shape))
    assert logits.shape == (4, 10)
    logits.square().sum().backward()
    assert [n for n, p in net.named_parameters() if p.grad is None] == []
    # Batch norm takes the mean away, so that the bias of a convolution before it changes nothing.
    before_norm = {n for n, _ in net.named_parameters() if name == "vgg8_bn" and n.endswith("bias")}
    assert [n for n, p in net.named_parameters() if n not in before_norm and not p.grad.any()] == []


@pytest.mark.parametrize(
    ("name", "shape", "settings"),
    [
        ("mlp", (3, 5, 7), {"hidden": []}),
        ("cnn", (2, 16, 20), {}),
        ("lenet", (1, 28, 28), {}),
        ("vgg8_bn", (1, 40, 33), {}),
        ("vgg8_bn", (3, 8, 8), {"widths": [4, "M", 8], "batch_norm": False}),
    ],
)
def test_models_take_other_shapes(name, shape, settings):
    net = models.create(name, in_channels=shape[0], image_size=shape[1:], num_classes=3, **settings)
    assert net(torch.randn(2, *shape)).shape == (2, 3)


def test_widths_that_need_larger_images_are_refused():
    with pytest.raises(ValueError, match="needs images of at least 32 pixels, but got 28 x 28. Remove an 'M'"):
        models.create("vgg8_bn", image_size=28)
    widths = [4, "M", 8, "M", 8, "M", 8, "M", 8, "M", 8, "M"]
    assert models.create("vgg11", image_size=33, widths=widths)(torch.randn(2, 3, 33, 33)).shape == (2, 10)
    with pytest.raises(ValueError, match="`widths` needs images of at least 33 pixels, but got 32 x 32. Remove an 'M'"):
        models.create("vgg11", image_size=32, widths=widths)


@pytest.mark.parametrize(("size", "fits"), [(16, True), (15, False)])
def test_cnn_knows_its_smallest_image(size, fits):
    if fits:
        assert models.create("cnn", image_size=size)(torch.randn(1, 1, size, size)).shape == (1, 10)
    else:
        with pytest.raises(ValueError, match="at least 16 pixels, but got 15 x 15"):
            models.create("cnn", image_size=size)


def test_mlp_refuses_images_of_another_shape():
    with pytest.raises(ValueError, match=r"expects images of shape \(1, 28, 28\), but got \(1, 14, 56\)"):
        models.create("mlp")(torch.randn(2, 1, 14, 56))


def test_create_offers_the_nearest_name():
    with pytest.raises(ConfigError, match="Did you mean 'lenet'"):
        models.create("lenett")
    with pytest.raises(
        ConfigError, match="resnet20 has no argument 'stem'. Its arguments are in_channels, num_classes"
    ):
        models.create("resnet20", stem="small")
    with pytest.raises(ConfigError, match="vgg16_bn has no argument 'drop_out'. Did you mean 'dropout'"):
        models.create("vgg16_bn", drop_out=0.1)
    with pytest.raises(ValueError, match="vgg8_bn has no stem imagenet. Use vgg11_bn, or `stem: small`"):
        models.create("vgg8_bn", stem="imagenet")

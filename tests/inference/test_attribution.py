import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import interpolate

from lit_cnn import models
from lit_cnn.commands.explain import targets_of
from lit_cnn.inference.attribution import grad_cam, occlusion, saliency

CLASSES = torch.tensor([2, 0])


@pytest.fixture
def net():
    """Smooth, so that finite differences are exact enough; in double precision."""
    layers = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(3 * 4 * 3, 3))
    return layers.double().eval()


@pytest.fixture
def inputs():
    return torch.randn(2, 2, 6, 5, dtype=torch.float64)


def test_saliency_agrees_with_finite_differences(net, inputs):
    found = saliency(net, inputs, CLASSES)
    expected = torch.zeros(2, 6, 5, dtype=torch.float64)
    step = 1e-5
    with torch.no_grad():
        for i in range(2):
            for y in range(6):
                for x in range(5):
                    for c in range(2):
                        up, down = inputs[i : i + 1].clone(), inputs[i : i + 1].clone()
                        up[0, c, y, x] += step
                        down[0, c, y, x] -= step
                        slope = (net(up) - net(down))[0, CLASSES[i]] / (2 * step)
                        expected[i, y, x] = max(expected[i, y, x], slope.abs())
    assert torch.allclose(found, expected, atol=1e-8)
    assert inputs.grad is None


@pytest.mark.parametrize(("side", "stride", "at_once"), [(1, 1, 256), (3, 2, 4), (2, 3, 1), (9, 1, 256)])
def test_occlusion_agrees_with_a_loop(net, inputs, side, stride, at_once):
    found = occlusion(net, inputs, CLASSES, side, stride, at_once)
    rows = [*range(0, max(6 - side, 0), stride), max(6 - side, 0)]
    columns = [*range(0, max(5 - side, 0), stride), max(5 - side, 0)]
    for i in range(2):
        falls: dict[tuple[int, int], list[float]] = {}
        before = net(inputs[i : i + 1]).softmax(1)[0, CLASSES[i]].item()
        for top in rows:
            for left in columns:
                image = inputs[i : i + 1].clone()
                image[:, :, top : top + side, left : left + side] = 0
                fall = before - net(image).softmax(1)[0, CLASSES[i]].item()
                for y in range(top, min(top + side, 6)):
                    for x in range(left, min(left + side, 5)):
                        falls.setdefault((y, x), []).append(fall)
        for y in range(6):
            for x in range(5):
                if (y, x) in falls:
                    assert found[i, y, x].item() == pytest.approx(sum(falls[y, x]) / len(falls[y, x]), abs=1e-12)
                else:
                    assert found[i, y, x].item() == 0


def test_grad_cam_is_cam_for_a_linear_layer_behind_the_mean():
    # Zhou et al. 2016: there the class's weights of the maps are the linear layer's, up to the number of pixels.
    linear = nn.Linear(3, 3)
    net = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear
    ).eval()  # fmt: skip
    inputs = torch.randn(2, 2, 8, 7)
    maps = net[1](net[0](inputs)).detach()
    cam = torch.einsum("bk,bkhw->bhw", linear.weight.detach()[CLASSES], maps).relu() / (6 * 5)
    expected = interpolate(cam[:, None], (8, 7), mode="bilinear", align_corners=False)[:, 0]
    found = grad_cam(net, inputs, CLASSES)
    assert torch.allclose(found, expected, atol=1e-7)
    assert found.max() > 0
    assert not net[1]._forward_hooks


def test_grad_cam_is_none_without_feature_maps():
    assert grad_cam(models.create("mlp", image_size=6).eval(), torch.randn(2, 1, 6, 6), CLASSES) is None


@pytest.mark.parametrize("name", ["lenet", "vgg8_bn", "resnet18", "googlenet", "preact_resnet18", "alexnet"])
def test_every_kind_of_network_can_be_explained(name):
    net = models.create(name, in_channels=3, num_classes=3, image_size=32).eval()
    inputs = torch.randn(2, 3, 32, 32)
    before = net(inputs)
    heat = grad_cam(net, inputs, CLASSES)
    assert heat.shape == (2, 32, 32)
    assert heat.isfinite().all()
    assert (heat >= 0).all()
    assert saliency(net, inputs, CLASSES).max() > 0
    assert torch.equal(net(inputs), before)
    assert all(p.grad is None for p in net.parameters())


def test_explain_writes_a_picture_for_each_image(lit_cnn, colour_run, tmp_path):
    for name in ("a/x.png", "b/x.png"):
        (tmp_path / name).parent.mkdir()
        Image.new("RGB", (16, 16), (200, 30, 30)).save(tmp_path / name)
    (tmp_path / "b" / "broken.png").write_text("text")
    outcome = lit_cnn("explain", colour_run, "a", "b", "--output", "out")
    assert outcome.code == 3
    assert "BROKEN b/broken.png: b/broken.png is not an image that can be read" in outcome.err
    assert "1 of 3 images could not be read" in outcome.err
    assert outcome.out == "wrote 2 pictures to out\n"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a_x.png", "b_x.png"]
    with Image.open(tmp_path / "out" / "a_x.png") as picture:
        assert picture.width > 1000


def test_explanation_of_a_permuted_run_is_put_back_too(permuted_run):
    from lit_cnn import load
    from lit_cnn.commands.explain import explain

    module = load(permuted_run)
    images = torch.arange(120, dtype=torch.uint8).view(1, 1, 12, 10)
    (figure,) = explain(module, images, ["pattern 1/x.png"], side=3)
    titles = [axis.get_title() for axis in figure.axes]
    assert titles.count("as the network sees it") == titles.count("the same, permutation undone") == 1
    shown = {axis.get_title(): axis for axis in figure.axes}
    image = shown["the image"].images[0].get_array()
    assert (shown["the same, permutation undone"].images[0].get_array() == image).all()
    assert (shown["as the network sees it"].images[0].get_array() != image).any()
    seen, back = (a.images[0].get_array() for a in figure.axes if a.get_title().startswith("occlusion"))
    order = module.preprocess.permute.order
    assert (seen.flatten() == back.flatten()[order.numpy()]).all()
    texts = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert sum("no feature maps" in text for text in texts) == 2
    title = figure.get_suptitle()
    assert title.startswith("pattern 1/x.png\npredicted pattern ")
    assert title.endswith(("correct", "is pattern 1"))


def test_pictures_with_equal_names_get_different_files(tmp_path):
    assert [p.name for p in targets_of(["a/x.png", "a/y.png"], tmp_path).values()] == ["x.png", "y.png"]
    assert [p.name for p in targets_of(["a/x.png", "b/x.png"], tmp_path).values()] == ["a_x.png", "b_x.png"]
    assert [p.name for p in targets_of(["a/x.png", "a/x.jpg"], tmp_path).values()] == ["x.png.png", "x.jpg.png"]

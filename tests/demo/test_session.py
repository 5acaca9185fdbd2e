"""Answers to the demo's page: the predictions of each network and of the dial."""

import json

import pytest
import torch

from lit_cnn.data.sources import sample
from lit_cnn.demo.dial import BLOCKS, WHOLE
from lit_cnn.demo.looks import GRAD_CAM, SALIENCY, look
from lit_cnn.demo.picture import write_png
from lit_cnn.demo.session import Session
from lit_cnn.errors import CheckpointError, ConfigError
from lit_cnn.inference.load import load
from lit_cnn.transforms import PixelPermutation


@pytest.fixture(scope="module")
def session():
    return Session()


@pytest.fixture(scope="module")
def test_images():
    return sample.read("test")


@pytest.fixture
def drawing(test_images):
    return write_png(test_images.images[0])


def test_networks_of_the_package_say_what_they_are(session):
    about = session.about()
    assert [network["kind"] for network in about["networks"]] == ["MLP", "CNN", "LeNet", "Airbench"]
    assert [network["mode"] for network in about["networks"]] == ["draw"] * 3 + ["photo"]
    assert about["networks"][1]["about"] == "6,422 parameters, 95.9% test accuracy"
    assert len(about["digits"]) == 10
    assert about["dial"]["accuracies"]["shuffled"]["cnn_mnist"][-1] == 0.959
    json.dumps(about)


def test_look_has_the_probabilities_of_predict_and_the_input_as_a_picture(test_images):
    for name, kind in (("cnn_mnist", GRAD_CAM), ("mlp_mnist", SALIENCY)):
        module = load(name)
        seen = look(module, module.preprocess, test_images.images[:1])
        assert torch.allclose(seen.probabilities, module.predict(test_images.images[:1])[0])
        assert torch.equal(seen.seen, test_images.images[0])
        assert seen.kind == kind
        assert seen.heat.min() >= 0
        assert seen.heat.max() == 1
        assert seen.heat_back is None
        assert len(seen.as_json()["maps"]) == 1


def test_permuted_picture_and_its_map_are_put_back(test_images):
    module = load("cnn_mnist_blocks7")
    permute = PixelPermutation(28, 0, "deranged_blocks", 7)
    seen = look(module, module.preprocess, test_images.images[:1])
    assert torch.equal(seen.seen, permute(test_images.images[:1])[0])
    assert torch.equal(seen.image, test_images.images[0])
    assert torch.equal(permute(seen.heat_back[None]), seen.heat[None])
    assert len(seen.as_json()["maps"]) == 2


def test_every_network_of_the_dial_has_about_the_accuracy_that_the_page_shows(session, test_images):
    dial = session.dial
    assert dial.modules["cnn_mnist", 28] is session.networks[1].module, "weights are loaded once"
    shown, images, labels = dial.about()["accuracies"], test_images.images, test_images.labels
    assert shown["whole"] == json.loads(WHOLE.read_text())
    for network in ("mlp_mnist", "cnn_mnist"):
        for i, block in enumerate(BLOCKS):
            trained = dial.modules[network, block]
            for training, module in (("shuffled", trained), ("whole", dial.modules[network, 28])):
                with torch.no_grad():
                    right = module.evaluate(trained.preprocess(images)).argmax(1) == labels
                # 1,000 of the digits here, all 10,000 there: 0.05 is more than three standard errors
                assert abs(right.float().mean() - shown[training][network][i]) < 0.05, (network, block, training)


def test_drawing_is_looked_at_by_the_networks_of_drawings_and_by_the_dial(session, drawing):
    answer = session.look({"image": drawing, "mode": "draw", "centre": True, "block": 7})
    assert len(answer["networks"]) == 3
    assert all(abs(sum(each["probabilities"]) - 1) < 1e-4 for each in answer["networks"])
    assert len(answer["dial"]["networks"]) == 2
    shuffled = answer["dial"]["networks"][1]["probabilities"]
    whole = session.look({"image": drawing, "mode": "draw", "block": 7, "training": "whole"})["dial"]["networks"][1]
    assert shuffled != whole["probabilities"]
    json.dumps(answer)


def test_dial_at_28_shows_the_networks_above_it(session, drawing):
    for training in ("shuffled", "whole"):
        answer = session.look({"image": drawing, "mode": "draw", "block": 28, "training": training})
        assert answer["dial"]["networks"] == answer["networks"][:2]


def test_photo_is_looked_at_by_networks_of_photos(session):
    photo = write_png(torch.randint(0, 256, (3, 48, 64), dtype=torch.uint8))
    answer = session.look({"image": photo, "mode": "photo"})
    assert len(answer["networks"]) == 1
    assert "dial" not in answer


def test_sliders_change_what_is_seen_and_are_cut_at_their_limits(session, drawing):
    def seen(**changes):
        answer = session.look({"image": drawing, "mode": "draw", **changes})
        return answer["networks"][0]["seen"]

    assert len({seen(), seen(right=0.2), seen(down=0.2), seen(degrees=30), seen(noise=0.3)}) == 5
    assert seen(right=7) == seen(right=0.5)


def test_empty_drawing_is_not_judged(session):
    black = write_png(torch.zeros(1, 28, 28, dtype=torch.uint8))
    assert session.look({"image": black, "mode": "draw", "centre": True}) == {"empty": True}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("mode", "sing", "`mode` has to be one of draw, photo, but got 'sing'"),
        ("block", 3, "`block` has to be one of 1, 2, 4, 7, 14, 28, but got 3"),
        ("training", "none", "`training` has to be one of shuffled, whole"),
        ("right", "far", "`right` has to be a number, but got 'far'"),
        ("noise", float("nan"), "`noise` has to be a number, but got nan"),
        ("degrees", [1], "`degrees` has to be a number"),
    ],
)
def test_wrong_request_is_refused_in_words(session, drawing, key, value, message):
    with pytest.raises(ConfigError, match=message):
        session.look({"image": drawing, "mode": "draw", key: value})


def test_runs_take_the_place_of_the_package_s_weights(colour_run, permuted_run):
    session = Session([str(colour_run), str(permuted_run)])
    about = session.about()
    assert [network["classes"] for network in about["networks"]] == [["pattern 0", "pattern 1", "pattern 2"]] * 2
    assert about["dial"] is None
    assert about["digits"] == []
    answer = session.look({"image": write_png(torch.full((1, 20, 20), 9, dtype=torch.uint8)), "mode": "photo"})
    assert len(answer["networks"]) == 1


def test_run_that_is_not_there_is_refused():
    with pytest.raises(CheckpointError, match="cnn_mnst. Did you mean 'cnn_mnist'"):
        Session(["cnn_mnst"])

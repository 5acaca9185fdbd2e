import numpy as np
import pytest
import torch

from lit_cnn.errors import ConfigError
from lit_cnn.training.losses import build_loss, weights_of

LOGITS = torch.tensor([[2.0, 1.5, -1.0], [0.0, 0.2, 3.0]])
LABELS = torch.tensor([0, 1])


def test_nll_equals_cross_entropy():
    assert torch.equal(build_loss("nll")(LOGITS, LABELS), build_loss("cross_entropy")(LOGITS, LABELS))


def test_hinge_is_the_multi_class_margin():
    expected = 0.0
    for row, label in zip(LOGITS.tolist(), LABELS.tolist(), strict=True):
        expected += sum(max(0, 1 - row[label] + x) for k, x in enumerate(row) if k != label) / len(row)
    assert float(build_loss("hinge")(LOGITS, LABELS)) == pytest.approx(expected / 2)


def test_label_smoothing_mixes_in_the_uniform_target():
    log_probabilities = LOGITS.log_softmax(1)
    uniform = -log_probabilities.mean()
    hard = build_loss("cross_entropy")(LOGITS, LABELS)
    assert torch.allclose(build_loss("cross_entropy", 0.1)(LOGITS, LABELS), 0.9 * hard + 0.1 * uniform)


@pytest.mark.parametrize(
    ("name", "smoothing", "match"), [("hinge", 0.1, "not with hinge"), ("nll", 1.5, "from 0 up to 1")]
)
def test_label_smoothing_refuses(name, smoothing, match):
    with pytest.raises(ValueError, match=match):
        build_loss(name, smoothing)


@pytest.mark.parametrize("name", ["cross_entropy", "hinge"])
def test_class_weights_weigh_each_image(name):
    loss, plain = build_loss(name), build_loss(name)
    loss.weights = torch.tensor([2.0, 0.5, 1.0])
    one, other = (float(plain(LOGITS[i : i + 1], LABELS[i : i + 1])) for i in (0, 1))
    assert float(loss(LOGITS, LABELS)) == pytest.approx((2 * one + 0.5 * other) / 2)
    assert not loss.state_dict()  # checkpoints stay as they were


def test_class_weights_weigh_the_shares_of_a_mixed_image():
    loss = build_loss("cross_entropy")
    loss.weights = torch.tensor([2.0, 0.5, 1.0])
    shares = torch.tensor([[0.3, 0.7, 0.0]])
    expected = -(shares * loss.weights * LOGITS[:1].log_softmax(1)).sum()
    assert float(loss(LOGITS[:1], shares)) == pytest.approx(float(expected))


def test_balanced_weights_are_those_of_scikit_learn():
    from sklearn.utils.class_weight import compute_class_weight

    labels = torch.tensor([0] * 50 + [1] * 5 + [2])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels.numpy())
    found = weights_of("balanced", labels, "abc")
    assert found.tolist() == pytest.approx(expected.tolist())
    assert float(found[labels].mean()) == pytest.approx(1)
    assert weights_of({"b": 5}, labels, "abc").tolist() == [1, 5, 1]


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"cats": 2.0}, "has 'cats', which is not a class. Did you mean 'cat'?\nThe classes are cat, dog."),
        ([1.0], "has 1 weights, but there are 2 classes"),
        ([1.0, -1.0], "numbers from 0 up"),
        ([0.0, 0.0], "not all 0"),
    ],
)
def test_class_weights_that_do_not_fit_are_refused(given, match):
    with pytest.raises(ConfigError) as caught:
        weights_of(given, torch.tensor([0, 1]), ["cat", "dog"])
    assert match in str(caught.value)

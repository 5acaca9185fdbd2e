import pytest
import torch

from lit_cnn.training.losses import build_loss

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

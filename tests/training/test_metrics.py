import math

import pytest
import torch
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
)
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from lit_cnn.training.buffered_metrics import BufferedMetrics
from lit_cnn.training.metrics import NLL, accuracy_and_nll


@pytest.fixture
def logits_and_labels():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(103, 5, generator=generator) * 3, torch.randint(0, 5, (103,), generator=generator)


def test_metrics_equal_scikit_learn(logits_and_labels):
    logits, labels = logits_and_labels
    metrics = accuracy_and_nll(5, "val/")
    for part in torch.arange(103).split(16):
        metrics.update(logits[part], labels[part])
    values = metrics.compute()
    assert set(values) == {"val/acc", "val/nll"}
    assert float(values["val/acc"]) == pytest.approx(accuracy_score(labels, logits.argmax(1)), abs=1e-6)
    expected = log_loss(labels, logits.double().softmax(1), labels=range(5))
    assert float(values["val/nll"]) == pytest.approx(expected, rel=1e-6)


def test_metrics_weigh_a_short_batch_by_its_images(logits_and_labels):
    logits, labels = logits_and_labels
    whole, parts = accuracy_and_nll(5), accuracy_and_nll(5)
    whole.update(logits[:10], labels[:10])
    parts.update(logits[:8], labels[:8])
    parts.update(logits[8:10], labels[8:10])
    assert float(parts.compute()["acc"]) == float(whole.compute()["acc"])
    assert float(parts.compute()["nll"]) == pytest.approx(float(whole.compute()["nll"]), rel=1e-6)


def test_accuracy_is_micro():
    metrics = accuracy_and_nll(2)
    metrics.update(torch.tensor([[1.0, 0.0]] * 4), torch.tensor([0, 0, 0, 1]))
    assert float(metrics.compute()["acc"]) == 0.75  # macro would say 0.5


@pytest.mark.parametrize(("right", "images"), [(949, 1000), (1, 3), (0, 7), (8741, 10_000)])
def test_accuracy_is_the_ratio_of_its_counts(right, images):
    metrics = accuracy_and_nll(2)
    labels = (torch.arange(images) >= right).long()
    metrics.update(torch.tensor([[1.0, 0.0]]).expand(images, 2), labels)
    assert float(metrics.compute()["acc"]) == right / images  # float32 would be off by 1e-8
    assert (metrics["acc"].correct, metrics["acc"].counted) == (right, images)
    metrics.reset()
    assert metrics["acc"].correct == right  # of the last time, for who comes after the reset


def test_accuracy_per_class_equals_recall(logits_and_labels):
    logits, labels = logits_and_labels
    metrics = BufferedMetrics(5)
    metrics.add("test", logits, labels)
    metrics.catch_up("test")
    per_class = metrics["of_each_class"]
    expected = recall_score(labels, logits.argmax(1), average=None)
    assert per_class.compute().tolist() == pytest.approx(expected.tolist(), abs=1e-6)


def test_nll_of_log_probabilities_is_the_same(logits_and_labels):
    logits, labels = logits_and_labels
    of_logits, of_log_probabilities = NLL(), NLL()
    of_logits.update(logits, labels)
    of_log_probabilities.update(logits.log_softmax(1), labels)
    assert float(of_logits.compute()) == pytest.approx(float(of_log_probabilities.compute()), rel=1e-6)


@pytest.mark.parametrize("classes", [3, 4, 10, 100])
@pytest.mark.parametrize("images", [1, 3, 8, 20, 100])
def test_nll_does_not_depend_on_the_images_in_an_update(classes, images):
    torch.manual_seed(classes * images)
    logits, labels = 3 * torch.randn(6 * images, classes), torch.randint(0, classes, (6 * images,))
    at_once, in_parts = NLL(), NLL()
    at_once.update(logits, labels)
    for start in range(0, 6 * images, images):
        in_parts.update(logits[start : start + images], labels[start : start + images])
    assert at_once.compute() == in_parts.compute()


def test_nll_of_bf16_logits_is_taken_in_float32(logits_and_labels):
    logits, labels = logits_and_labels
    nll = NLL()
    nll.update(logits.bfloat16(), labels)
    expected = log_loss(labels, logits.bfloat16().double().softmax(1), labels=range(5))
    assert float(nll.compute()) == pytest.approx(expected, rel=1e-5)


def test_nll_of_guessing_is_ln_of_classes():
    nll = NLL()
    nll.update(torch.zeros(7, 10), torch.arange(7))
    assert float(nll.compute()) == pytest.approx(math.log(10))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_nll_is_summed_in_float64_in_a_module_of_any_precision(dtype):
    nll = NLL().to(dtype=dtype)
    for _ in range(1000):
        nll.update(torch.zeros(1, 10), torch.tensor([3]))
    assert nll.total.dtype == torch.float64
    assert float(nll.compute()) == pytest.approx(math.log(10), rel=1e-6)


@pytest.mark.parametrize("classes", [5, 7])  # two of which have no images
def test_macro_figures_equal_scikit_learn_and_torchmetrics(logits_and_labels, classes):
    logits, labels = logits_and_labels
    labels = labels.clamp(max=3)  # unbalanced, and the last is predicted only
    logits = torch.cat([logits, torch.full((103, classes - 5), -99.0)], dim=1)
    metrics = accuracy_and_nll(classes, macro=True)
    for part in torch.arange(103).split(16):
        metrics.update(logits[part], labels[part])
    values, preds = metrics.compute(), logits.argmax(1)
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        assert float(values["acc_macro"]) == pytest.approx(balanced_accuracy_score(labels, preds), abs=1e-12)
    assert float(values["f1"]) == pytest.approx(f1_score(labels, preds, average="macro"), abs=1e-12)
    assert float(values["f1"]) == pytest.approx(float(multiclass_f1_score(preds, labels, classes)), abs=1e-6)
    seen = preds < 4  # torchmetrics counts a class without images, where it is predicted, with an accuracy of 0
    metrics.reset()
    metrics.update(logits[seen], labels[seen])
    theirs = multiclass_accuracy(preds[seen], labels[seen], classes, average="macro")
    assert float(metrics.compute()["acc_macro"]) == pytest.approx(float(theirs), abs=1e-6)


def test_precision_and_f1_of_each_class_equal_scikit_learn(logits_and_labels):
    from types import SimpleNamespace

    logits, labels = logits_and_labels
    metrics = BufferedMetrics(5)
    metrics.add("test", logits, labels)
    metrics.catch_up("test")
    _, found = metrics.log_each_class(SimpleNamespace(log_dict=lambda *_, **__: None), "abcde")
    for name, score in (("precision", precision_score), ("f1", f1_score)):
        expected = score(labels, logits.argmax(1), average=None)
        assert [found[f"test/{name}_of/{c}"] for c in "abcde"] == pytest.approx(expected.tolist())

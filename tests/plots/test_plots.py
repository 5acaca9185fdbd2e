import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from lit_cnn.plots import class_accuracy, confusion_matrix, feature_maps, filters, reliability_diagram, worst_mistakes
from lit_cnn.plots.calibration import expected_calibration_error
from lit_cnn.plots.comparisons import interval_chart


def _texts(figure):
    return [text.get_text() for axis in figure.axes for text in (*axis.texts, *axis.get_yticklabels()) if text]


@pytest.mark.parametrize("bins", [5, 15])
def test_calibration_error_is_that_of_torchmetrics_and_of_a_loop(bins):
    generator = torch.Generator().manual_seed(0)
    probabilities = (3 * torch.randn(500, 7, generator=generator)).softmax(dim=1)
    labels = torch.randint(0, 7, (500,), generator=generator)
    confidences, preds = probabilities.max(dim=1)
    found = expected_calibration_error(confidences, preds == labels, bins)
    upper, lower = reliability_diagram(confidences, preds == labels, bins=bins).axes
    expected = multiclass_calibration_error(probabilities, labels, num_classes=7, n_bins=bins, norm="l1")
    assert found == pytest.approx(float(expected), abs=1e-6)
    by_hand = 0.0
    for i in range(bins):
        inside = [n for n, c in enumerate(confidences.tolist()) if i / bins <= c < (i + 1) / bins]
        assert lower.containers[0][i].get_height() == len(inside)
        if inside:
            accuracy = np.mean([bool(preds[n] == labels[n]) for n in inside])
            assert upper.containers[0][i].get_height() == pytest.approx(accuracy)
            by_hand += len(inside) / 500 * abs(accuracy - np.mean([float(confidences[n]) for n in inside]))
    assert found == pytest.approx(by_hand, abs=1e-6)


def test_reliability_diagram_says_its_error_and_leaves_empty_bins_out():
    figure = reliability_diagram(torch.tensor([0.95, 0.95]), torch.tensor([True, False]), bins=10)
    assert "ECE 45.00%" in figure.get_suptitle()
    assert all(axis.get_ylabel() for axis in figure.axes)
    assert [bar.get_height() for bar in figure.axes[0].containers[0]] == [0] * 9 + [0.5]


def test_confusion_matrix_numbers_its_cells_and_names_its_axes():
    figure = confusion_matrix(torch.tensor([[8, 2], [0, 5]]), ["cat", "dog"])
    assert figure.get_suptitle() == "confusion matrix: 13 of 15 correct"
    assert {"8", "2", "5", "cat", "dog"} <= set(_texts(figure))
    assert np.allclose(figure.axes[0].images[0].get_array(), [[0.8, 0.2], [0, 1]])
    assert figure.axes[0].get_xlabel() == "predicted class"


def test_a_hundred_classes_stay_readable():
    counts = torch.eye(100, dtype=torch.int64) * 5
    counts[3, 7] = 4
    names = [f"class {i}" for i in range(100)]
    matrix, bars = confusion_matrix(counts, names), class_accuracy(counts, names)
    assert "4 x class 3\n     predicted as class 7" in _texts(matrix)
    assert len(_texts(matrix)) < 30
    assert len(bars.axes[0].patches) == 40
    assert bars.axes[0].get_yticklabels()[0].get_text() == "class 3"


def test_interval_is_drawn_around_the_mean_and_leaves_the_runs_room():
    values = {"three": [60.0, 61.0, 62.5], "two": [59.0, 61.5], "one": [60.5]}
    (axis,) = interval_chart(values, {"three": (58.2, 64.3)}, "%", "").axes
    assert [bar.get_segments()[0][:, 0].tolist() for bar in axis.collections] == [[58.2, 64.3]]
    assert axis.get_xlim()[0] < 58.2 < 64.3 < axis.get_xlim()[1]
    (axis,) = interval_chart(values, {"three": (10.0, 100.0)}, "%", "").axes
    low, high = axis.get_xlim()
    assert low < 59
    assert high > 62.5
    assert high - low < 4 * 3.5  # the runs have a quarter of the axis at least


def test_class_accuracy_begins_with_the_hardest_and_leaves_unmet_classes_out():
    figure = class_accuracy(torch.tensor([[1, 1, 0], [3, 1, 0], [0, 0, 0]]), ["a", "b", "c"])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["b", "a"]
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.25, 0.5]


def test_worst_mistakes_show_prediction_and_true_class():
    images = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    figure = worst_mistakes(images, [1], [0], [0.987], ["cat", "dog"])
    assert "cat: 98.7%\ntrue: dog" in _texts(figure)
    assert "none" in worst_mistakes(images[:0], [], [], [], ["cat", "dog"]).texts[0].get_text()


def test_filters_lie_in_their_places():
    weights = torch.randn(10, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    shown = filters(weights).axes[0].images[0].get_array()
    scaled = weights / weights.abs().max()
    assert np.allclose(shown[:3, :3], scaled[0, 0])
    assert np.allclose(shown[4:7, 4:7], scaled[9, 0])
    assert filters(weights.expand(-1, 3, -1, -1)).axes[0].images[0].get_array().shape == (7, 31, 3)


def test_feature_maps_show_the_strongest_first():
    maps = torch.zeros(12, 5, 5)
    maps[7] = 2.0
    maps[2] = -1.0
    figure = feature_maps(torch.zeros(1, 5, 5, dtype=torch.uint8), {"conv1": maps})
    texts = _texts(figure)
    assert texts[:3] == ["input", "7", "2"]
    assert any("conv1\n12 maps\n5 x 5" in text for text in texts)

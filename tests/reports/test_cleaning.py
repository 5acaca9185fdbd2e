"""Images to look at: near-duplicates and labels that are likely wrong, and where mistakes are named."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lit_cnn.reports.cleaning import likely_wrong, near_duplicates


def test_near_duplicates_are_found_and_others_are_not():
    torch.manual_seed(0)
    images = torch.randint(0, 256, (40, 3, 16, 16), dtype=torch.uint8)
    images[7] = images[3]
    images[20] = (images[11].float() * 0.8 + 20).byte()  # another exposure
    images[30] = (images[25].float() + torch.randn(3, 16, 16) * 8).clamp(0, 255).byte()
    images[31:34] = 100  # of one colour
    found = near_duplicates(images)
    assert {(a, b) for a, b, _ in found} == {(3, 7), (11, 20), (25, 30)}
    assert found[0].correlation == pytest.approx(1, abs=1e-4)
    for a, b, correlation in found:
        x, y = (images[i].flatten().double().numpy() for i in (a, b))
        assert correlation == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-4)
    assert near_duplicates(images[:2]) == []


def test_likely_wrong_are_contradicted_labels_by_loss():
    nll, preds = torch.tensor([0.1, 3.0, 9.0, 2.0]), torch.tensor([0, 1, 1, 2])
    assert likely_wrong(nll, preds, torch.tensor([0, 0, 1, 0])).tolist() == [1, 3]


@pytest.fixture
def shapes(tmp_path):
    """A folder of light squares and lines on dark; one square is in the wrong class, and one is there twice."""
    draws = np.random.default_rng(0)
    for split, n in (("train", 40), ("test", 12)):
        for name in ("line", "square"):
            (tmp_path / "shapes" / split / name).mkdir(parents=True)
            for i in range(n):
                pixels = draws.integers(0, 40, (16, 16)).astype(np.uint8)
                row, column = draws.integers(0, 10, 2)
                pixels[row : row + 6, column : column + (6 if name == "square" else 1)] = 230
                Image.fromarray(pixels).save(tmp_path / "shapes" / split / name / f"{i:02}.png")
    folder = tmp_path / "shapes" / "test"
    (folder / "square" / "05.png").rename(folder / "line" / "swapped.png")
    Image.open(folder / "line" / "03.png").save(folder / "line" / "again.png")
    return tmp_path / "shapes"


def test_mistakes_are_named_by_their_files(lit_cnn, shapes):
    fit = (
        "--model", "LitLeNet", "--model.lr", "0.01", "--data", "ImageFolderDataModule", "--data.data_dir", str(shapes),
        "--data.batch_size", "16", "--trainer.max_epochs", "6", "--trainer.accelerator", "cpu", "--name", "run",
    )  # fmt: skip
    outcome = lit_cnn("fit", *fit, "--data.cache", "false", "--pictures.enabled", "false")
    assert outcome.code == 0, outcome.err
    run = "logs/run/version_0"
    assert lit_cnn("predict", run).code == 0
    rows = list(csv.DictReader(Path("logs/run/predict_0/predictions.csv").read_text("utf-8").splitlines()))
    (swapped,) = [row for row in rows if row["file"].endswith("swapped.png")]
    assert (swapped["label"], swapped["predicted"], swapped["right"]) == ("line", "square", "0")
    reported = lit_cnn("report", run, "--all_images", "--format", "md")
    assert reported.code == 0, reported.err
    text = Path(run, "report.md").read_text("utf-8")
    wrong = text[text.index("Labels that may be wrong") :]
    assert "test/line/swapped.png" in wrong.split("Near-duplicates")[0]
    assert "train" in wrong[:120]
    assert "test/line/03.png" in wrong.split("Near-duplicates")[1]
    mistakes = lit_cnn("classify", run, str(shapes / "test"), "--wrong", "--format", "csv")
    found = list(csv.DictReader(mistakes.out.splitlines()))
    assert [row["image"].rpartition("/")[2] for row in found] == ["swapped.png"]
    assert (found[0]["label"], found[0]["class"]) == ("line", "square")
    assert "is line" in lit_cnn("classify", run, str(shapes / "test"), "--wrong").out
    assert '"label": "line"' in lit_cnn("classify", run, str(shapes / "test"), "--wrong", "--format", "json").out
    Image.fromarray(255 - np.asarray(Image.open(shapes / "test" / "square" / "00.png"))).save("inverted.png")
    said = lit_cnn("classify", run, "inverted.png")
    assert "1 of 1 images look inverted: they are dark on light, and the training images were light on dark" in said.err
    turned = lit_cnn("classify", run, "inverted.png", "--invert")
    assert "square" in turned.out.split("%")[0]
    assert "inverted:" not in turned.err
    refused = lit_cnn("classify", run, "inverted.png", "--wrong")
    assert refused.code == 3
    assert "--wrong needs images in folders that are named as the classes, such as line, square" in refused.err

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.realdata
def test_exercise_on_real_mnist(shared_data, tmp_path):
    """One seed: the CNN is better than the fully connected net, until the pixels are permuted."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/exercise.py", "--seeds", "1", "--data_dir", shared_data, "--root", tmp_path],
        capture_output=True, text=True, timeout=280, cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if "+-" in line]
    accuracy = {row[0]: float(row[1].rstrip("%")) for row in rows}
    assert accuracy["cnn_mnist"] > 93
    assert 84 < accuracy["mlp_mnist"] < 91
    assert abs(accuracy["mlp_mnist"] - accuracy["mlp_mnist_permuted"]) < 4
    assert accuracy["cnn_mnist"] - accuracy["cnn_mnist_permuted"] > 5


def test_benchmark_and_picture_show_every_augmentation_of_the_documentation():
    from scripts.benchmarks.augmentations import comparisons
    from scripts.make_augmentations import ROWS

    documented = re.findall(r"^\| `(\w+)\(", (ROOT / "docs" / "augmentations.md").read_text(), re.MULTILINE)
    assert {type(augmentation).__name__ for augmentation in ROWS.values()} == set(documented)
    measured = {re.split(r"\W", name)[0] for name in comparisons()}
    placements = {
        "RandomCrop",
        "RandomShift",
        "RandomFlip",
        "AlternatingFlip",
    }  # the benchmark of the data path has these
    assert measured | placements == set(documented)


def test_every_augmentation_of_the_picture_changes_it():
    from scripts.make_augmentations import ROWS, change, own_pictures

    pictures = own_pictures()
    for title, augmentation in ROWS.items():
        changed = change(augmentation, pictures)
        assert (changed != pictures.repeat_interleave(2, 0)).flatten(1).any(1).any(), title

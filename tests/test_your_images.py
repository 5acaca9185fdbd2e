"""docs/your_images.md, followed to the letter: its configs are written, and its commands run, one after the other."""

import csv
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.test_layouts import hugging_face, picture, tiny_imagenet

PAGE = Path(__file__).parents[1] / "docs" / "your_images.md"
COLOURS = {"cat": (200, 120, 30), "dog": (30, 120, 200), "frog": (30, 200, 30)}


def fill(root, counts, form="{:02}.png"):
    for (name, colour), n in zip(COLOURS.items(), counts, strict=True):
        (root / name).mkdir(parents=True)
        for i in range(n):
            Image.fromarray(picture(colour)).save(root / name / form.format(i))
    return root


@pytest.fixture
def images_of_all_kinds():
    """Folders and files of the names on the page, in the present folder."""
    fill(Path("pictures"), (12, 12, 12))
    for part, n in (("train", 10), ("val", 2), ("test", 2)):
        fill(Path("parts") / part, (n, n, n))
    for group in ("old", "new"):
        fill(Path("nested") / group, (5, 5, 5))
    tiny_imagenet(Path("tiny-imagenet-200"))
    fill(Path("table/images"), (8, 8, 8))
    rows = [(f"images/{name}/{i:02}.png", name) for name in COLOURS for i in range(8)]
    with Path("table/labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "species"), *rows])
    pixels = np.stack([picture(colour) for colour in COLOURS.values() for _ in range(8)])
    np.savez("arrays.npz", images=pixels, labels=np.repeat(list(COLOURS), 8))
    hugging_face(Path("hub"))
    fill(Path("patients"), (12, 12, 12))
    for name in COLOURS:
        for i in range(12):
            (Path("patients") / name / f"{i:02}.png").rename(f"patients/{name}/{name}_patient{i // 2}_{i % 2}.png")
    fill(Path("few"), (4, 12, 30))


@pytest.mark.slow
def test_the_page_on_images_of_ones_own(images_of_all_kinds, lit_cnn):
    pytest.importorskip("pyarrow")
    blocks = re.findall(r"```(\w*)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for kind, text in blocks:
        if kind == "yaml":
            Path(re.match(r"# (\S+)", text)[1]).write_text(text)
    commands = [line for kind, text in blocks if kind == "sh" for line in text.splitlines()]
    assert len(commands) >= 16
    said = ""
    for command in commands:
        start, *argv = shlex.split(command)[2:]
        assert start == "lit_cnn"
        outcome = lit_cnn(*argv)
        assert outcome.code == 0, f"{command}\n{outcome.err}"
        said += outcome.out
    assert next(text for _, text in blocks if "there are no test images" in text) in said
    groups = {}
    for row in csv.DictReader(Path("logs/patients/version_0/split.csv").read_text().splitlines()):
        groups.setdefault(re.search(r"patient\d+", row["path"])[0], set()).add(row["split"])
    assert {len(parts) for parts in groups.values()} == {1}
    tested = [json.loads((Path("logs/patients") / run / "results.json").read_text()) for run in ("version_0", "test_0")]
    assert tested[0]["test/correct"] == tested[1]["test/correct"]
    (table,) = re.findall(r"## Cross-validation\n(.*?)\n## ", Path("logs/folds/report.md").read_text(), re.DOTALL)
    assert "| 3 | 1 | 36 |" in table

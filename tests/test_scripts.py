import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


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


def test_picture_and_documentation_show_every_view():
    from lit_cnn.registry import subclasses_of
    from lit_cnn.transforms import View
    from scripts.make_augmentations import own_pictures
    from scripts.make_views import VIEWS, rows_of

    text = (ROOT / "docs" / "locality.md").read_text()
    ours = {c.__name__ for c in subclasses_of(View) if c.__module__.startswith("lit_cnn.")}
    assert set(re.findall(r"^\| `(\w+)\(", text, re.MULTILINE)) == ours == {type(v).__name__ for v in VIEWS.values()}
    rows = rows_of(own_pictures())
    assert all((rows[title] != rows["as they are"]).any() for title in rows if title != "as they are")

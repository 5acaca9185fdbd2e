import re
from importlib.metadata import version
from pathlib import Path

from packaging.version import Version

ROOT = Path(__file__).parents[2]


def test_picture_shows_every_augmentation_of_the_documentation():
    from scripts.make_augmentations import ROWS

    documented = re.findall(r"^\| `(\w+)\(", (ROOT / "docs" / "augmentations.md").read_text(), re.MULTILINE)
    assert {type(augmentation).__name__ for augmentation in ROWS.values()} == set(documented)


def test_benchmark_measures_every_augmentation_that_torchvision_has():
    from torchvision.transforms import v2

    from lit_cnn.transforms import Augmentation
    from lit_cnn.typed_arguments import subclasses_of
    from scripts.benchmarks.augmentations import comparisons

    measured = {re.split(r"\W", name)[0] for name in comparisons()}
    theirs = {name.lower().removesuffix("wide") for name in dir(v2)}
    both = {c.__name__ for c in subclasses_of(Augmentation) if c.__name__.lower() in theirs}
    both.remove("RandomCrop")  # which the benchmark of the data path has
    assert measured == both | {"Cutout", "PCANoise"}


def test_every_augmentation_of_the_picture_changes_it():
    from scripts.make_augmentations import ROWS, change, own_pictures

    pictures = own_pictures()
    for title, augmentation in ROWS.items():
        changed = change(augmentation, pictures)
        assert (changed != pictures.repeat_interleave(2, 0)).flatten(1).any(1).any(), title


def test_picture_and_documentation_show_every_view():
    from lit_cnn.transforms import View
    from lit_cnn.typed_arguments import subclasses_of
    from scripts.make_augmentations import own_pictures
    from scripts.make_views import VIEWS, rows_of

    text = (ROOT / "docs" / "locality.md").read_text()
    ours = {c.__name__ for c in subclasses_of(View) if c.__module__.startswith("lit_cnn.")}
    assert set(re.findall(r"^\| `(\w+)\(", text, re.MULTILINE)) == ours == {type(v).__name__ for v in VIEWS.values()}
    rows = rows_of(own_pictures())
    assert all((rows[title] != rows["as they are"]).any() for title in rows if title != "as they are")


def test_constraints_have_what_pyproject_asks_for():
    from scripts.lowest_versions import floors

    lines = (ROOT / "constraints.txt").read_text().splitlines()[1:]
    assert lines == sorted(set(lines))
    frozen = {name.lower(): Version(version) for name, _, version in (line.partition("==") for line in lines)}
    for name, _, lowest in (line.partition("==") for line in floors("test")):
        assert frozen[name.lower()] >= Version(lowest), name


def test_constraints_are_of_packages_that_ours_need():
    from scripts.freeze import closure

    found = closure("lit-cnn")
    assert {"lit-cnn", "torch", "lightning", "numpy"} <= set(found)
    assert found["torch"] == version("torch")


def test_all_files_have_the_address_of_pyproject():
    from scripts.make_address import ADDRESS, FILES, with_address

    for path in FILES:
        text = path.read_text("utf-8")
        assert ADDRESS.search(text), path.name
        assert with_address(text) == text, f"{path.name}: python scripts/make_address.py"

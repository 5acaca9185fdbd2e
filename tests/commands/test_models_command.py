"""`python -m lit_cnn models`."""

import csv
import io
import json
import subprocess
import sys

import pytest
import torchvision
from large import marked

from lit_cnn.commands.models import KEPT, row_of
from lit_cnn.models import ARCHITECTURES


@pytest.mark.parametrize("name", marked([n for n in ARCHITECTURES if n in torchvision.models.list_models()]))
def test_macs_are_those_that_torchvision_publishes(name):
    meta = next(iter(torchvision.models.get_model_weights(name))).meta
    side = 299 if name == "inception_v3" else 224
    row = row_of(name, (3, side, side), num_classes=1000, stem="imagenet")
    assert round(row.macs / 1e9, 3) == meta["_ops"]


def test_text_has_a_line_for_every_network(lit_cnn):
    lines = lit_cnn("models").out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", *ARCHITECTURES]
    (line,) = [line for line in lines if line.startswith("resnet18 ")]
    assert " ".join(line.split()) == (
        "resnet18 He et al. 2016 11,173,962 555,422,720 5 x 5 imagenet from 17, small from 5"
    )


def test_json_and_csv_say_the_same(lit_cnn):
    rows = json.loads(lit_cnn("models", "vgg*_bn", "--format", "json", "--image_size", 64).out)
    assert [row["name"] for row in rows] == ["vgg8_bn", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"]
    assert (rows[1]["year"], rows[1]["stems"]) == (2015, {"imagenet": 32, "small": 17})
    table = list(csv.DictReader(io.StringIO(lit_cnn("models", "vgg*_bn", "--format=csv", "--image_size=64").out)))
    for row, line in zip(rows, table, strict=True):
        assert line["stems"] == " ".join(f"{stem}:{pixels}" for stem, pixels in row.pop("stems").items())
        assert {key: str(value) for key, value in row.items()}.items() <= line.items()


def test_json_has_the_line_that_trains_a_network(lit_cnn):
    (row,) = json.loads(lit_cnn("models", "resnet34", "--format", "json").out)
    assert row["train"] == "python -m lit_cnn fit recipes/cifar --model LitResNet --model.name resnet34"
    assert row["train"] in lit_cnn("models", "--help").out
    assert lit_cnn(*row["train"].split()[3:], "--print_config").code == 0


def test_settings_reach_the_networks(lit_cnn):
    def row(*argv):
        (row,) = json.loads(lit_cnn("models", "resnet18", "--format", "json", *argv).out)
        return row["parameters"]

    assert row("--in_channels", 1) == row() - 2 * 9 * 64
    assert row("--num_classes", 100) == row() + 90 * 513
    assert row("--stem", "imagenet") == row() + (49 - 9) * 3 * 64


def test_too_small_images_leave_the_counts_out(lit_cnn):
    assert lit_cnn("models", "alexnet", "--stem", "imagenet").out.count("too small") == 2
    (row,) = json.loads(lit_cnn("models", "alexnet", "--stem", "imagenet", "--format", "json").out)
    assert (row["parameters"], row["macs"]) == (None, None)


@pytest.mark.parametrize(
    ("argv", "match"),
    [
        (["reznet18"], "No network matches 'reznet18'. Did you mean 'resnet18'"),
        (["--imagesize", "3"], "--imagesize"),
        (["--image_size", "0"], "--image_size: 0 is not a whole number above 0"),
        (["--image_size", "big"], "--image_size: "),
        (["--format", "xml"], "'xml'"),
    ],
)
def test_wrong_arguments_are_refused(lit_cnn, argv, match):
    outcome = lit_cnn("models", *argv)
    assert outcome.code == 2
    assert match in outcome.err
    assert len(outcome.err.splitlines()) <= 3


def test_help_names_the_verb(lit_cnn):
    assert "  models     list all networks" in lit_cnn("--help").out
    assert "--image_size" in lit_cnn("models", "--help").out


def test_a_row_is_kept_for_every_network():
    assert [row["name"] for row in json.loads(KEPT.read_text())] == list(ARCHITECTURES)


@pytest.mark.parametrize("name", marked(ARCHITECTURES))
def test_kept_rows_are_those_that_the_networks_give(name):
    from scripts.make_model_table import row

    (kept,) = [kept for kept in json.loads(KEPT.read_text()) if kept["name"] == name]
    assert kept == row(name), "python scripts/make_model_table.py writes it anew"


def imported_by(*argv):
    """Returns the modules that the verb imports."""
    code = f"import sys; from lit_cnn.cli.main import main; main({['models', *argv]}); print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("argv", [["lenet"], ["reznet18"], ["--image_size", "32", "--format", "csv"]], ids=" ".join)
def test_default_table_needs_no_torch(argv):
    assert not imported_by(*argv) & {"torch", "numpy", "lightning"}


@pytest.mark.slow
def test_table_for_other_images_needs_no_lightning():
    assert imported_by("lenet", "--image_size", "64") & {"torch", "lightning"} == {"torch"}

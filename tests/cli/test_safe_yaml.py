"""Safe YAML: keys stay as written, and so do values that YAML 1.1 would change."""

from pathlib import Path

import pytest
import yaml

from lit_cnn.cli import safe_yaml
from lit_cnn.errors import ConfigError
from lit_cnn.experiments.grid import read_experiment, seeds_of

CHANGED = [
    *("no", "off", "yes", "on", "y", "n", "True", "null", "~"),
    *("1", "01", "1.0", "1e3", "0x10", "1:30", "2020-01-01"),
]


def test_names_of_variants_are_as_they_are_written():
    variants = "".join(f"    {name}: {{model.lr: {i + 1}}}\n" for i, name in enumerate(CHANGED))
    Path("e.yaml").write_text(f"axes:\n  off:\n{variants}")
    experiment = read_experiment("e.yaml")
    assert [variant.labels for variant in experiment.variants] == [{"off": name} for name in CHANGED]
    assert [variant.argv for variant in experiment.variants] == [[f"--model.lr={i + 1}"] for i in range(len(CHANGED))]


def test_keys_of_a_config_are_as_they_are_written():
    text = "".join(f"{key}: {i}\n" for i, key in enumerate(CHANGED))
    assert safe_yaml.load(text) == {key: i for i, key in enumerate(CHANGED)}
    again = yaml.safe_dump(safe_yaml.load(text))
    assert safe_yaml.load(again) == yaml.safe_load(again) == safe_yaml.load(text)
    assert safe_yaml.load("a: &a {no: 1}\nb: {<<: *a, on: [{off: 2}]}") == {
        "a": {"no": 1},
        "b": {"no": 1, "on": [{"off": 2}]},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("axes: {a: {no: {x: 1}, 'no': {x: 2}}}", "line 1: the key no occurs twice"),
        ("axes: {a: {1: {x: 1}, 1: {x: 2}}}", "the key 1 occurs twice"),
        ("axes:\n  a:\n    ? \n    : {x: 1}", "line 3: a key is empty"),
        ("axes: {a: {MLP: {x: 1}, mlp: {x: 2}}}", "two cells would have the name MLP"),
        ("settings: !!python/name:os.system", "the tag !!python/name:os.system is not allowed"),
    ],
)
def test_duplicate_empty_and_unsafe_keys_are_refused(text, message):
    Path("e.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_experiment("e.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("12:00:00:00", "12:00:00:00"), ("1:30.5", "1:30.5"), ("010", "010"), ("2020-01-01", "2020-01-01")),
        *(("0", 0), ("-7", -7), ("1_000", 1000), ("0x1f", 31), ("1e-3", 0.001), (".inf", float("inf"))),
        *(("true", True), ("no", False), ("null", None), ("", None), ("{a, b}", "{a, b}"), ("a:", "a:"), ("[1]", [1])),
    ],
)
def test_values_are_those_that_were_written(text, value):
    assert safe_yaml.load(text) == value
    assert type(safe_yaml.load(text)) is type(value)


def test_durations_and_dates_reach_an_experiments_cells():
    Path("e.yaml").write_text("axes: {trainer.max_time: [12:00:00:00, 00:01:00:00], name: [2020-01-01]}")
    assert [variant.argv for variant in read_experiment("e.yaml").variants] == [
        ["--trainer.max_time=12:00:00:00", "--name=2020-01-01"],
        ["--trainer.max_time=00:01:00:00", "--name=2020-01-01"],
    ]


def test_seeds_that_were_typed_are_read_as_those_of_a_file():
    assert seeds_of("[3, 5]", Path("--seeds")) == [3, 5]
    for text in ("[1, 1]", "[", "no", "1.0", "[1.0]", ""):
        with pytest.raises(ConfigError, match="has to be a number of seeds"):
            seeds_of(text, Path("--seeds"))

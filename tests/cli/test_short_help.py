"""The short help of the Trainer's verbs: two screens, read from source quickly."""

import inspect

import pytest

from lit_cnn import ImageDataModule, LitClassifier
from lit_cnn.cli import short_help as module
from lit_cnn.cli.arguments import of_the_run
from lit_cnn.cli.main import VERBS


@pytest.mark.parametrize("verb", VERBS)
def test_help_fits_on_two_screens(verb, lit_cnn, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = lit_cnn(verb, "--help").out.splitlines()
    assert len(lines) <= 100
    assert max(map(len, lines)) <= 80
    assert f"  {verb} --help_all" in "\n".join(lines)


def test_help_names_each_setting_that_is_not_rare():
    text = module.short_help("fit")
    every = {"model": LitClassifier, "data": ImageDataModule, "": of_the_run}
    for branch, thing in every.items():
        names = [name for name in inspect.signature(thing).parameters if name not in {*module.RARE, "unknown"}]
        assert [name for name in names if f"  --{branch}{'.' * bool(branch)}{name} " not in text] == []


def test_rare_settings_exist():
    things = (LitClassifier, ImageDataModule, of_the_run)
    known = {name for thing in things for name in inspect.signature(thing).parameters}
    assert known >= module.RARE


def test_all_settings_are_one_flag_away(lit_cnn):
    outcome = lit_cnn("fit", "--help_all")
    assert outcome.code == 0
    for flag in ("--trainer.check_val_every_n_epoch", "--model.help", "--checkpoint.every_n_epochs", "--fast_loop"):
        assert flag in outcome.out


def test_help_of_a_class_begins_with_a_short_usage(lit_cnn):
    out = lit_cnn("fit", "--model.help", "LitVGG").out
    assert out.startswith("usage: python -m lit_cnn fit ... [--KEY VALUE ...]\n")
    assert "--model.widths" in out

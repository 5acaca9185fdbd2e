"""Rules for every verb that is not the Trainer's."""

from pathlib import Path

import pytest

from lit_cnn import commands
from lit_cnn.cli.main import COMMANDS


@pytest.mark.parametrize("verb", COMMANDS)
def test_verb_has_a_file_and_a_help_of_80_columns(lit_cnn, verb, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert Path(commands.__path__[0], f"{verb}.py").is_file()
    outcome = lit_cnn(verb, "--help")
    assert outcome.code == 0, outcome.err
    assert f"python -m lit_cnn {verb}" in outcome.out
    overview = lit_cnn("--help").out
    assert f"\n  {verb:10} " in overview
    assert max(map(len, (outcome.out + overview).splitlines())) <= 80

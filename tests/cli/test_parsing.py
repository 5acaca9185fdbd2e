"""The parser of a verb, which the configs of one process share."""

import pytest
from conftest import SMALL

from lit_cnn.cli import quick_check, trainer
from lit_cnn.cli.command_line import given_settings
from lit_cnn.errors import ConfigError
from lit_cnn.experiments.plan import PlanCLI


def parsed(*argv):
    return trainer.run_verb(["fit", "--model", "LitMLP", *SMALL, *argv], PlanCLI)


def test_a_config_leaves_nothing_to_the_next():
    before = parsed()
    parsed("--model.lr=7", "--data.augment=[RandomFlip]", "--trainer.callbacks+=EMA", "--checkpoint.monitor=val/nll")
    wrong = ["fit", "--model", "LitMLP", *SMALL, "--print_config", "--trainer.max_epochs=many"]
    with pytest.raises(ConfigError, match="max_epochs"):
        trainer.run_checked(wrong, given_settings(wrong), PlanCLI)
    after = parsed()
    assert after.config == before.config
    assert after.parser is before.parser


def test_settings_are_checked_once(lit_cnn, monkeypatch):
    check, checked = quick_check.check, []
    for module in (quick_check, trainer):
        monkeypatch.setattr(module, "check", lambda argv: checked.append(argv) or check(argv))
    assert lit_cnn("fit", "--model", "LitMLP", *SMALL, "--print_config").code == 0
    assert len(checked) == 1

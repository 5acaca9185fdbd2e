"""Settings that another one turns off are named when a run begins."""

import pytest

FIT = ("fit", "quickstart", "--trainer.fast_dev_run", "true", "--trainer.enable_progress_bar", "false")
ROWS = ("--data.permute_kind", "rows")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (ROWS, "data.permute is false, so this has no effect: permute_kind: rows."),
        (("--model.scheduler", "null"), "model.scheduler is null, so this has no effect: scheduler_interval: step."),
        (
            ("--data.permute", "true", "--data.permute_kind", "within_blocks"),
            "data.permute moves no pixel: permute_kind is within_blocks, and permute_block is 1.",
        ),
        (
            ("--data.permute", "true", "--data.permute_kind", "blocks", "--data.permute_block", "28"),
            "data.permute moves no pixel: permute_kind is blocks, and permute_block is 28.",
        ),
    ],
)
def test_a_setting_without_effect_is_named(lit_cnn, settings, said):
    outcome = lit_cnn(*FIT, *settings)
    assert (outcome.code, said in outcome.out) == (0, True)


@pytest.mark.parametrize("settings", [(), ("--data.permute", "true", *ROWS)])
def test_a_setting_with_an_effect_is_not_named(lit_cnn, settings):
    outcome = lit_cnn(*FIT, *settings)
    assert (outcome.code, "effect" in outcome.out, "moves" in outcome.out) == (0, False, False)

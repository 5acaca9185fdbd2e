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


def test_a_group_with_more_epochs_than_the_run_is_named(lit_cnn):
    groups = ("--model.scheduler", "TriangularLR", "--model.param_groups", "[{pattern: bias, epochs: 5}]")
    outcomes = [lit_cnn(*FIT, *groups, "--trainer.max_epochs", epochs) for epochs in (2, 5)]
    said = "model.param_groups 'bias' has epochs: 5, but the run is shorter. Its schedule ends with the run."
    assert [said in outcome.out for outcome in outcomes] == [True, False]


OWN = """
import torch, lit_cnn

class Own(lit_cnn.LitLeNet):
    def configure_optimizers(self):
        return {}

    def made(self):
        return torch.optim.SGD(self.parameters(), self.hparams["lr"])
"""


@pytest.mark.parametrize(
    ("body", "unnamed"),
    [
        ("torch.optim.SGD(self.parameters(), lr=0.1)", "lr: 7.0, optimizer: Muon"),
        ("torch.optim.SGD(self.parameters(), lr=self.hparams.lr)", "optimizer: Muon"),
        ("torch.optim.SGD(self.parameters(), **{'lr': 1 * self.hparams['lr']})", "optimizer: Muon"),
        ("(lambda: torch.optim.SGD(self.parameters(), lr=self.hparams.lr))()", "optimizer: Muon"),
        ("self.made()", "lr: 7.0, optimizer: Muon"),
        ("super().configure_optimizers()", None),
    ],
)
def test_settings_that_an_own_optimizer_may_ignore_are_named(lit_cnn, tmp_path, monkeypatch, body, unnamed):
    name = f"own_{len(body)}"
    (tmp_path / f"{name}.py").write_text(OWN.format(body))
    monkeypatch.syspath_prepend(tmp_path)
    settings = ("--model", f"{name}.Own", "--allow", name, "--model.optimizer", "Muon", "--model.lr", 7)
    data = ("--data", "SyntheticDataModule", "--data.train_images", 90)
    outcome = lit_cnn("fit", *data, *settings, *FIT[2:])
    assert outcome.code == 0
    said = [line for line in outcome.out.splitlines() if "only if it reads them" in line]
    assert said[0].endswith(f"only if it reads them: {unnamed}.") if unnamed else not said, said

"""Averaged weights: Lightning's callback, through our loop, checkpoints and verbs."""

import json
from pathlib import Path

import lightning.pytorch as L
import pytest
import torch
import yaml
from lightning.pytorch.callbacks import EMAWeightAveraging
from loops import Counter
from torch.nn.functional import cross_entropy

from lit_cnn import LitVGG, SyntheticDataModule, load

DECAY = 0.9
CONFIG = {"trainer": {"callbacks": [{"class_path": "EMAWeightAveraging", "init_args": {"decay": DECAY}}]}}
SMALL = (
    "--config", "ema.yaml", "--model", "LitLeNet", "--data", "SyntheticDataModule", "--data.train_images", "300",
    "--data.test_images", "100", "--data.image_size", "16", "--data.num_classes", "3", "--data.batch_size", "32",
    "--trainer.accelerator", "cpu",
)  # fmt: skip


class Weights(L.Callback):
    def __init__(self):
        self.after_steps = []

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.after_steps.append({name: w.clone() for name, w in pl_module.state_dict().items()})


def fit(*callbacks):
    torch.manual_seed(0)
    module = LitVGG(in_channels=1, num_classes=3, image_size=8, widths=[4, "M", 4], lr=0.01)
    data = SyntheticDataModule(num_classes=3, in_channels=1, image_size=8, train_images=200, batch_size=16, seed=0)
    trainer = L.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=list(callbacks),
    )  # fmt: skip
    trainer.fit(module, data)
    return module


def test_average_equals_a_loop_over_all_steps(monkeypatch):
    counter = Counter(monkeypatch)
    averaged = fit(EMAWeightAveraging(decay=DECAY)).state_dict()
    assert counter.alone == 0  # it has to see each step
    weights = Weights()
    fit(weights)
    assert len(weights.after_steps) == 24
    for name, average in weights.after_steps[0].items():
        if average.is_floating_point():  # the running statistics of batch norm too
            for step in weights.after_steps[1:]:
                average = DECAY * average + (1 - DECAY) * step[name]
            torch.testing.assert_close(averaged[name], average, rtol=1e-6, atol=1e-7)
            assert not torch.equal(averaged[name], weights.after_steps[-1][name])


@pytest.fixture
def run(lit_cnn):
    Path("ema.yaml").write_text(yaml.safe_dump(CONFIG))
    outcome = lit_cnn("fit", *SMALL, "--trainer.max_epochs", 2)
    assert outcome.code == 0, outcome.err
    return Path("logs/ema/version_0")


def test_fit_tests_and_load_loads_the_averages(lit_cnn, run):
    best = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    module = load(run)
    for name, average in best["state_dict"].items():
        assert torch.equal(module.state_dict()[name], average)
        assert not torch.equal(best["current_model_state"][name], average)
    tested = lit_cnn("test", "--config", run / "config.yaml", "--ckpt_path", run)
    assert tested.code == 0
    assert "WeightAveraging" not in tested.err
    fitted, again = (json.loads((Path(folder) / "results.json").read_text()) for folder in (run, "logs/ema/test_0"))
    assert again["test/nll"] == fitted["test/nll"]
    data = SyntheticDataModule(train_images=300, test_images=100, image_size=16, num_classes=3)
    data.setup("test")
    (batch,) = data.test_dataloader()
    with torch.no_grad():
        nll = cross_entropy(module(batch[0]), batch[1])
    assert fitted["test/nll"] == pytest.approx(float(nll), rel=1e-5)


def test_resumed_averages_are_those_of_a_run_in_one_go(lit_cnn, run):
    assert lit_cnn("fit", *SMALL, "--trainer.max_epochs", 1).code == 0
    assert (
        lit_cnn(
            "fit", *SMALL, "--trainer.max_epochs", 2, "--ckpt_path", "logs/ema/version_1/checkpoints/last.ckpt"
        ).code
        == 0
    )
    whole, resumed = (torch.load(f"logs/ema/version_{v}/checkpoints/last.ckpt", weights_only=True) for v in (0, 2))
    for part in ("state_dict", "current_model_state"):
        for name, weights in whole[part].items():
            assert torch.equal(resumed[part][name], weights)

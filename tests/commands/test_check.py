"""`python -m lit_cnn check`, on networks that are sound and on some that are not."""

import math
import os
import random
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from large import marked
from torch import nn

from lit_cnn import LitClassifier, SyntheticDataModule
from lit_cnn.checks import judgements, lr_range
from lit_cnn.checks.cost import Length
from lit_cnn.checks.judgements import equal_logits, judge_attempts, judge_first_loss, judge_gradients, judge_losses
from lit_cnn.checks.overfit import Attempt, _balanced, images_to_learn, loss_of_one_answer
from lit_cnn.checks.text import duration, time_table
from lit_cnn.checks.trial import ActivationBytes, FirstSteps
from lit_cnn.models import LeNet
from lit_cnn.training.losses import build_loss

DATA = (
    "--data", "SyntheticDataModule", "--data.train_images", "300", "--data.test_images", "20",
    "--data.image_size", "16", "--data.num_classes", "3", "--data.batch_size", "32",
    "--trainer.max_epochs", "2", "--trainer.accelerator", "cpu",
)  # fmt: skip


ONE_CYCLE = ("--model.scheduler", "OneCycleLR", "--model.scheduler_interval", "step")


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    """Times are not what is tested here."""
    monkeypatch.setattr("lit_cnn.cli.before_fit.take_first_steps.__defaults__", (0.02, False))


class LitWorking(LitClassifier):
    """A network of somebody's own."""

    def __init__(self, in_channels: int = 3, num_classes: int = 10, image_size: tuple[int, int] = (32, 32), **kwargs):
        super().__init__(self.network(LeNet(in_channels, num_classes, image_size), num_classes), num_classes, **kwargs)

    def network(self, net: nn.Module, num_classes: int) -> nn.Module:
        return net


class LitFrozen(LitWorking):
    """Its convolutions are not trained."""

    def network(self, net: nn.Module, num_classes: int) -> nn.Module:
        net.features.requires_grad_(False)
        return net


class LitUnused(LitWorking):
    """One of its layers is not on the way to the logits."""

    def network(self, net: nn.Module, num_classes: int) -> nn.Module:
        net.forgotten = nn.Linear(4, 4)
        return net


class LitZeroed(LitWorking):
    """All its weights are 0, and so are their gradients."""

    def network(self, net: nn.Module, num_classes: int) -> nn.Module:
        for parameter in net.parameters():
            nn.init.zeros_(parameter)
        return net


class LitBlind(LitWorking):
    """It says the same of all images, though all it has gets a gradient."""

    def network(self, net: nn.Module, num_classes: int) -> nn.Module:
        class Blind(nn.Module):
            def __init__(self):
                super().__init__()
                self.answer = nn.Parameter(0.1 * torch.randn(num_classes))

            def forward(self, images):
                return self.answer + torch.zeros_like(images).flatten(1).sum(dim=1, keepdim=True)

        return Blind()


class LitLoud(LitWorking):
    """Its logits are thousands of times too large."""

    def network(self, net: nn.Module, num_classes: int) -> nn.Module:
        with torch.no_grad():
            next(p for name, p in net.named_parameters() if name.endswith("5.weight")).mul_(5000)
        return net


class LitManyLogits(LitWorking):
    """It always has a thousand classes."""

    def network(self, net: nn.Module, num_classes: int) -> nn.Module:
        return nn.Sequential(net, nn.Linear(num_classes, 1000))


class LitCrashing(LitWorking):
    """Its last layer is of another shape than what comes in."""

    def network(self, net: nn.Module, num_classes: int) -> nn.Module:
        return nn.Sequential(net, nn.Linear(77, num_classes))


class BrokenDataModule(SyntheticDataModule):
    """Its images are divided by 0."""

    def read(self, split):
        arrays = super().read(split)
        self.mean = self.std = [0.0] * 3
        return arrays


@pytest.fixture
def check(lit_cnn):
    def run(*argv):
        outcome = lit_cnn("check", *argv)
        assert not [path for path in Path().iterdir() if path.name not in ("images", "caches")], "it left something"
        assert max(map(len, outcome.out.splitlines()), default=0) <= 120
        assert len(outcome.err.splitlines()) <= 3, outcome.err
        return outcome

    return run


def own(name: str) -> tuple[str, ...]:
    return ("--model", f"{__name__}.{name}", *DATA)


SOUND = {
    "lenet": ("--model", "LitLeNet", *DATA),
    "own": own("LitWorking"),
    "grey, permuted": ("--model", "LitLeNet", *DATA, "--data.in_channels", "1", "--data.permute", "true"),
    "mixup": ("--model", "LitLeNet", *DATA, "--data.augment+", "Mixup", "--model.label_smoothing", "0.1"),
    "hinge": ("--model", "LitLeNet", *DATA, "--model.loss", "hinge", "--data.val_size", "0"),
    "bf16": ("--model", "LitLeNet", *DATA, "--trainer.precision", "bf16-mixed"),
    "one cycle": ("--model", "LitLeNet", *DATA, *ONE_CYCLE),
    "clipped": (
        "--model", "LitLeNet", *DATA, "--trainer.gradient_clip_val", "1", "--trainer.accumulate_grad_batches", "2",
    ),
    "3 steps": ("--model", "LitLeNet", *DATA, *ONE_CYCLE, "--trainer.max_steps", "3"),
    "1 step": ("--model", "LitLeNet", *DATA, *ONE_CYCLE, "--trainer.max_steps", "1"),
    "a second": ("--model", "LitLeNet", *DATA, *ONE_CYCLE, "--trainer.max_time", "00:00:00:01"),
    "resnet20, ddp": ("--model", "LitCIFARResNet", *DATA, "--config", "overlays/ddp_cpu"),
}  # fmt: skip
FIRST = ("lenet", "own", "mixup", "1 step", "resnet20, ddp")


@pytest.mark.parametrize("name", marked(SOUND, SOUND.keys() - set(FIRST)))
def test_sound_networks_are_sound(check, name):
    outcome = check(*SOUND[name])
    assert outcome.code == 0, outcome.out + outcome.err
    assert outcome.out.splitlines()[-1].startswith("sound")
    assert "FAILED" not in outcome.out


def test_output_of_the_quickstart(check):
    out = check("--config", "quickstart").out
    lines = [line.split() for line in out.splitlines()]
    assert ["features.3", "Conv2d", "16", "x", "8", "x", "8", "2,416", "153,600", "14", "x", "14", "2", "25%"] in lines
    assert ["total", "44,426", "281,640"] in lines
    assert "equal logits give ln(10) = 2.303" in out
    assert "all 10 trained parameters get a gradient" in out
    assert "15 epochs of 57 steps" in " ".join(out.split())
    assert "optimizer state         0.4 MB" in out


def test_frozen_parameters_need_no_gradient(check):
    outcome = check(*own("LitFrozen"))
    assert outcome.code == 0
    assert "all 6 trained parameters get a gradient; 4 are frozen" in outcome.out


@pytest.mark.slow
def test_auxiliary_heads_do_not_count_for_the_first_loss(check):
    out = check("--model", "LitGoogLeNet", *DATA, "--data.batch_size", "4", "--trainer.limit_val_batches", "0").out
    assert "equal logits give ln(3) = 1.099" in out
    assert "ok      first loss" in out


BROKEN = {
    "LitUnused": r"gradients: 2 of \d+ trained parameters get no gradient: forgotten.weight.*\n.*remove it",
    "LitZeroed": r"gradients: \d+ of 10 .*features.0.weight.* \(1 more above\).\n.*weights that are all 0",
    "LitBlind": r"one batch: 16 images .*; the same answer for all .* 1.09\d.\nThe images do not reach the logits",
    "LitLoud": r"first loss: .* equal logits give ln\(3\) = 1.099; more than 4 times .*\nLook at the initial",
    "LitManyLogits": r"into logits \[batch, 1000\]. It has to return logits \[batch, 3\] .*\nSet its argument",
    "LitCrashing": r"cannot process the images .*\nRuntimeError: mat1 and mat2 shapes .*\nIts first layer needs",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_networks_are_refused_with_the_reason(check, name):
    outcome = check(*own(name))
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")
    assert re.search(BROKEN[name], outcome.err), outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "LitVGG", *DATA, "--data.image_size", "4"), "needs images of at least"),
        (
            ("--model", "LitLeNet", *DATA, "--model.lr", "0"),
            "model.lr: 0 (command line) has to be a number above 0.",
        ),
        (("--model", "LitLeNet", *DATA, "--data", f"{__name__}.BrokenDataModule"), "pixels that are NaN"),
        (("--model", "LitLeNet", *DATA, "--model.lr", "1e30", "--model.optimizer", "SGD"), "the loss is NaN at"),
        (("--model", "LitLeNet", *DATA, "--ckpt_path", "x"), "Remove --ckpt_path"),
        (("--model", "LitLeNet", *DATA, "--trainer.limit_train_batches", "0"), "There would be no training step"),
        (("--model", "LitLeNet", *DATA, "--model.lrr", "1"), "Unknown key model.lrr"),
        (("--model", "LitLeNet", *DATA, "--model.loss", "hinge", "--data.augment+", "Mixup"), "The first batch fails"),
    ],
)
def test_runs_that_fit_would_refuse_are_refused(check, arguments, message):
    outcome = check(*arguments)
    assert outcome.code == 2, outcome.out
    assert message in outcome.err


def test_a_folder_that_cannot_be_made_is_refused_as_by_fit(check):
    outcome = check("--config", "quickstart", "--trainer.default_root_dir", "/dev/null/runs")
    assert outcome.code == 6
    assert "--trainer.default_root_dir sets the folder for runs." in outcome.err


def test_nothing_is_changed(check):
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    precision, environment = torch.get_float32_matmul_precision(), dict(os.environ)
    before = random.getstate(), torch.get_rng_state(), np.random.get_state()[1].tolist()
    check("--config", "quickstart", "--matmul_precision", "medium")
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert np.random.get_state()[1].tolist() == before[2]
    assert torch.get_float32_matmul_precision() == precision
    changed = {k for k in dict(os.environ).keys() | environment.keys() if os.environ.get(k) != environment.get(k)}
    assert changed <= {"PYTEST_CURRENT_TEST"}


def test_help_explains(check):
    out = check("--help").out
    for part in ("receptive field", "ln(classes)", "exit code 2", "python -m lit_cnn fit --help"):
        assert part in out


@pytest.mark.parametrize("classes", [2, 10, 100])
@pytest.mark.parametrize("loss", ["cross_entropy", "nll", "hinge"])
def test_loss_of_equal_logits_is_the_printed_formula(loss, classes):
    labels = torch.arange(20) % classes
    value = float(build_loss(loss)(torch.full((20, classes), 0.7), labels))
    by_hand = (classes - 1) / classes if loss == "hinge" else math.log(classes)
    assert value == pytest.approx(by_hand, rel=1e-6)
    assert equal_logits(loss, classes, value).startswith("(" if loss == "hinge" else "ln(")


@pytest.mark.parametrize(
    ("first", "sound"), [(2.3, True), (4.6, True), (9.2, True), (9.3, False), (0.2, True), (float("nan"), False)]
)
def test_first_loss_may_be_a_few_times_that_of_equal_logits(first, sound):
    finding = judge_first_loss(FirstSteps(8, True, first, math.log(10)), "cross_entropy", 10)
    assert (not finding.remedy) is sound
    assert ("trained before" in finding.text) is (first == 0.2)
    assert ("up to 2 times that is normal" in finding.text) is (first in (2.3, 4.6))
    assert ("times as high, which is acceptable" in finding.text) is (first == 9.2)


def test_judgements_of_losses_gradients_and_attempts():
    assert not judge_losses(FirstSteps(8, True, losses=[2.0, 3.0])).remedy
    assert "at step 2" in judge_losses(FirstSteps(8, True, losses=[2.0, math.inf, 1.0])).text
    assert judge_gradients({}, 4, 3).text.endswith("; 3 are frozen")
    assert set(judgements.WHY) == {"none", "zero", "not finite"}
    assert "and 2 more" in judge_gradients({f"net.{i}": "zero" for i in range(6)}, 9, 0).text
    own, other = Attempt("SGD", 30, 5, 16, 2.0, own=True), Attempt("Adam", 9, 16, 16, 0.1)
    assert judge_attempts([own], 2.2).text.endswith("learns, but slowly")
    assert judge_attempts([own, other], 2.2).text == "16 of 16 images learned after 9 steps of Adam (SGD: 5 after 30)"
    assert judge_attempts([own], 2.1).remedy


@pytest.mark.parametrize("labels", [[0, 1, 2, 2], [0, 0, 0, 1], [1, 1, 2, 2]])
def test_loss_of_one_answer_is_the_entropy_of_the_labels(labels):
    labels = torch.tensor(labels)
    share = labels.bincount() / len(labels)
    entropy = -sum(float(p * p.log()) for p in share if p > 0)
    assert loss_of_one_answer(build_loss("cross_entropy"), labels, 3) == pytest.approx(entropy, abs=0.01)


def test_loss_of_one_answer_for_hinge_misses_the_margin_of_the_classes_that_are_there():
    # Of four classes two occur: at equal logits of the two each misses the margin of the other by 1.
    assert loss_of_one_answer(build_loss("hinge"), torch.tensor([0, 0, 3, 3]), 4) == pytest.approx(1 / 4, abs=0.01)


def test_images_to_learn_are_spread_over_the_classes():
    labels = torch.tensor([0] * 90 + [1] * 5 + [2])
    assert labels[_balanced(labels, 8)].bincount().tolist() == [4, 3, 1]
    data = SyntheticDataModule(train_images=100, num_classes=10, image_size=8)
    data.setup("fit")
    images, labels = images_to_learn(data, torch.device("cpu"))
    assert images.shape[0] == 16
    assert sorted(labels.bincount().tolist()) == [1] * 4 + [2] * 6
    for image, label in zip(images, labels, strict=True):  # they are images of the training set, as they are
        same = [i for i in range(len(data.arrays("train"))) if int(data.arrays("train").labels[i]) == label]
        known = data.preprocess(data.arrays("train").images[same])
        assert (known == image).flatten(1).all(dim=1).any()


def test_activations_are_what_autograd_keeps():
    net = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 5))
    images = torch.randn(8, 10)
    kept = ActivationBytes(net)
    with kept:
        net(images)
    assert kept.total == 4 * 8 * (10 + 20)  # the input of the first layer; the output of the ReLU, which both use


def test_times_add_up():
    text = time_table(Length(epochs=30, steps=100, step=0.5, images=1000, image=0.01))
    assert [line.split("  ")[-1].strip() for line in text.splitlines()] == ["25.0 min", "5.0 min", "30.0 min"]
    started = time_table(Length(epochs=30, steps=100, step=0.5, start_up=6.0))
    assert [line.split("  ")[-1].strip() for line in started.splitlines()] == ["25.0 min", "6.0 s", "25.1 min"]
    assert "per epoch" in time_table(Length(math.inf, 100, 0.5, 0, 0.0))
    assert "1 epoch of 100 steps" in time_table(Length(1, 100, 0.5, 0, 0.0))
    assert [duration(s) for s in (5e-5, 0.05, 5, 300, 7300)] == ["50.0 us", "50.0 ms", "5.0 s", "5.0 min", "2.0 h"]


def test_lr_find_prints_a_curve_and_a_rate_and_changes_nothing(lit_cnn, monkeypatch):
    monkeypatch.setattr("lit_cnn.checks.lr_range.STEPS", 60)
    found = lit_cnn("check", "--lr_find", "--model", "LitLeNet", *DATA)
    assert found.code == 0, found.err
    rate = float(re.search(r"suggested  --model.lr (\S+);", found.out)[1])
    too_high = float(re.search(r"too high   from (\S+) on", found.out)[1])
    assert 1e-5 < rate < too_high <= 10
    assert "<- steepest" in found.out
    assert [path.name for path in Path().iterdir()] == ["lr_find.png"]
    refused = lit_cnn("check", "--lr_find", "--model", "LitLeNet", *DATA, "--model.lrr", "3")
    assert refused.code == 2


def test_smoothing_and_the_steepest_fall_are_those_of_a_plain_loop():
    rates = np.geomspace(1e-4, 1, 60)
    losses = np.where(rates < 1e-2, 2 - 1 / (1 + (1e-3 / rates) ** 4), 1 + (rates - 1e-2) * 50)
    found = lr_range._judged(rates, losses, diverged=True)
    average, smoothed = 0.0, []
    for step, loss in enumerate(losses, 1):
        average = 0.9 * average + 0.1 * loss
        smoothed.append(average / (1 - 0.9**step))
    assert np.allclose(found.smoothed, smoothed)
    falls = [(smoothed[i + 5] - smoothed[i - 5], rates[i]) for i in range(10, int(np.argmin(smoothed)))]
    assert found.steepest == pytest.approx(min(falls)[1])
    assert found.suggestion == pytest.approx(min(min(falls)[1], rates[int(np.argmin(smoothed))] / 10))


def test_a_rate_is_suggested_only_where_the_loss_falls_clearly():
    rates, noise = np.geomspace(1e-6, 10, 120), np.random.default_rng(0).normal(0, 0.3, 120)
    falling = 2 - 1.5 / (1 + (1e-2 / rates) ** 2)
    clear = lr_range._judged(rates, falling + noise, diverged=False)
    assert 1e-3 < clear.suggestion < 0.1
    assert clear.noise == pytest.approx(0.3, rel=0.3)
    noisy = lr_range._judged(rates, 2 - 0.1 * (2 - falling) + noise, diverged=False)
    assert noisy.suggestion is None
    said = str(lr_range.unclear(noisy, batch_size=16, images=58))
    assert re.search(r"falls by 0\.\d+, and differs by 0\.\d+ from batch to batch", said)
    assert "--data.batch_size 58, or compare a few rates" in said
    rising = lr_range._judged(rates, 2 + rates, diverged=True)
    assert "the loss falls at no rate" in str(lr_range.unclear(rising, 16, 58))

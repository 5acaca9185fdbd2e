"""Airbench: its whitening layer, its views at test, and its training: resumed, by either loop, without data."""

import json
import os
import signal
from pathlib import Path

import lightning.pytorch as L
import pytest
import torch
import yaml
from loops import QUIET, both, plain
from torch import nn
from torch.nn import functional

import lit_cnn as package
from lit_cnn.errors import ConfigError
from lit_cnn.models.whitening import EPS, WhiteningConv2d
from lit_cnn.runs import checkpoint_io
from lit_cnn.training.classifier import LitClassifier
from lit_cnn.training.whitening import learn_whitening
from lit_cnn.transforms.weighted_views import weighted_views

GROUPS = [
    {"pattern": "whiten", "lr": 0.05, "momentum": 0.85, "epochs": 2},
    {"pattern": "norm|head", "lr": 0.05, "momentum": 0.85, "weight_decay": 0.01},
]
RECIPE = {
    "optimizer": "Muon", "lr": 0.1, "optimizer_args": {"momentum": 0.6, "ns_steps": 3, "normalise": True},
    "param_groups": GROUPS, "scheduler": "TriangularLR", "scheduler_args": {"peak": 0}, "scheduler_interval": "step",
    "sum_loss": True, "label_smoothing": 0.2, "test_views": "flip_translate",
}  # fmt: skip
NARROW = {"widths": [8, 16, 16]}


def data(**settings):
    sizes = {"train_images": 60, "test_images": 30, "image_size": 12, "num_classes": 3, "batch_size": 16}
    return package.SyntheticDataModule(**(sizes | {"seed": 0} | settings))


def images_of(module):
    return module.batch_maker("train")(torch.arange(len(module.arrays("train"))))[0]


def test_whitening_filters_are_the_scaled_eigenvectors_of_patches():
    images, size = torch.randn(20, 3, 6, 5) * torch.tensor([1.0, 2.0, 0.5])[:, None, None], 12
    layer = WhiteningConv2d(3)
    layer.learn(images)
    patches = [images[i, :, y : y + 2, x : x + 2].reshape(size) for i in range(20) for y in range(5) for x in range(4)]
    covariance = sum(torch.outer(p, p) for p in patches).double() / len(patches)
    filters = layer.weight.detach().reshape(24, size).double()
    assert torch.equal(filters[size:], -filters[:size])
    assert bool(layer.learned)
    assert not layer.weight.requires_grad
    for row in filters[:size]:
        direction = row / row.norm()
        variance = direction @ covariance @ direction
        torch.testing.assert_close(covariance @ direction, variance * direction, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(row.norm(), (variance + EPS).rsqrt(), rtol=1e-4, atol=0)
        assert direction[direction.abs().argmax()] > 0
    out = torch.stack([layer.weight.detach().reshape(24, size)[:size] @ p for p in patches])
    torch.testing.assert_close(out.T @ out / len(out), torch.eye(size), rtol=0, atol=0.01)


def test_whitening_is_learned_once_from_the_images_as_the_network_gets_them():
    source = data(permute=True, augment=[package.RandomCrop(2)])
    source.setup("fit")
    module = package.LitAirbench(image_size=12, num_classes=3)
    learn_whitening(module.net, source)
    expected = WhiteningConv2d(3)
    expected.learn(images_of(source))  # all 54, in another order
    torch.testing.assert_close(module.net.whiten.weight, expected.weight, rtol=1e-3, atol=1e-3)
    before = module.net.whiten.weight.clone()
    learn_whitening(module.net, data(seed=5))
    assert torch.equal(module.net.whiten.weight, before)


def test_other_data_have_to_give_their_images():
    module = package.LitAirbench(image_size=12)
    with pytest.raises(ConfigError, match=r"Call `module.net.whiten.learn\(images\)` before `fit`"):
        learn_whitening(module.net, None)
    module.net.whiten.learn(torch.randn(8, 3, 12, 12))
    learn_whitening(module.net, None)


@pytest.mark.parametrize("kind", ["flip", "flip_translate"])
def test_weighted_views_are_those_of_a_loop(kind):
    images = torch.randn(2, 3, 6, 5)
    shifts = {"flip": {0: 1.0}, "flip_translate": {0: 0.5, -1: 0.25, 1: 0.25}}[kind]
    padded = functional.pad(images, (1, 1, 1, 1), mode="reflect")
    expected = []
    for shift, weight in shifts.items():
        view = padded[:, :, 1 + shift : 7 + shift, 1 + shift : 6 + shift]
        expected += [(weight / 2, view), (weight / 2, view.flip(-1))]
    found = list(weighted_views(images, kind))
    assert sum(weight for weight, _ in found) == 1
    for (weight, view), (other, seen) in zip(found, expected, strict=True):
        assert weight == other
        assert torch.equal(view, seen)


@pytest.mark.parametrize("name", ["airbench94", "airbench96"])
def test_first_filters_pass_channels_on_and_scales_are_frozen(name):
    net = package.models.create(name)
    for group in net.groups:
        passed = group.conv1.weight.detach()[: group.conv1.in_channels]
        assert torch.equal(passed, nn.init.dirac_(torch.empty_like(passed)))
        assert torch.equal(group.norm2.weight, torch.ones_like(group.norm2.weight))
    frozen = [key for key, p in net.named_parameters() if not p.requires_grad]
    assert frozen == ["whiten.weight", *(key for key, _ in net.named_parameters() if "norm" in key and "weight" in key)]


def test_the_figure_with_views_is_of_the_mean_of_their_logits():
    module = package.LitAirbench(image_size=12, num_classes=3, **RECIPE).eval()
    images, labels = torch.randn(9, 3, 12, 12), torch.arange(9) % 3
    with torch.no_grad():
        module.test_step((images, labels), 0)
        expected = sum(weight * module(view) for weight, view in weighted_views(images, "flip_translate"))
        plain_figure = functional.cross_entropy(module(images), labels)
    for stage, nll in (("test", plain_figure), ("test_views", functional.cross_entropy(expected, labels))):
        module.metrics.catch_up(stage)
        torch.testing.assert_close(module.metrics[f"{stage}_metrics"]["nll"].compute().float(), nll)


def command(folder):
    """Writes the recipe as a config, and returns the arguments of its run."""
    model = {"class_path": "LitAirbench", "init_args": RECIPE | NARROW}
    sizes = {"train_images": 60, "test_images": 30, "image_size": 12, "num_classes": 3, "batch_size": 16, "val_size": 0}
    augment = [{"class_path": "RandomCrop", "init_args": {"padding": 2, "padding_mode": "reflect"}}]
    source = {"class_path": "SyntheticDataModule", "init_args": sizes | {"augment": augment}}
    trainer = {"max_epochs": 3, "callbacks": [{"class_path": "lit_cnn.Lookahead", "init_args": {"every": 2}}]}
    trainer |= {"accelerator": "cpu"}
    Path("air.yaml").write_text(yaml.safe_dump({"model": model, "data": source, "trainer": trainer}, sort_keys=False))
    return "fit", "--config", "air.yaml", "--pictures.enabled", "false", "--name", folder


def test_a_run_resumes_exactly_and_its_checkpoint_needs_no_data(lit_cnn, monkeypatch):
    whole = lit_cnn(*command("whole"))
    assert whole.code == 0, whole.err
    assert "param_groups 'whiten': whiten.bias (24 numbers); lr 0.05, momentum 0.85, epochs 2" in whole.out
    results = json.loads(Path("logs/whole/version_0/results.json").read_text())
    assert {"test/acc", "test/nll", "test/nll_views"} <= results.keys()
    assert results["test/acc_views"] == results["test/correct_views"] / 30
    assert f"\nviews  acc {results['test/acc_views']:.2%}  nll" in whole.out
    steps, step = iter(range(1, 100)), LitClassifier.training_step

    def stops(self, *args):
        if next(steps) == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(LitClassifier, "training_step", stops)
        assert lit_cnn(*command("run")).code == 143
    with monkeypatch.context() as patch:
        patch.setattr(WhiteningConv2d, "learn", lambda *_: None)  # the filters come from the checkpoint
        assert lit_cnn("fit", "--resume", "logs/run/version_0").code == 0
    states = [checkpoint_io.load(f"logs/{name}/version_0/checkpoints/last.ckpt") for name in ("whole", "run")]
    parts = ("global_step", "state_dict", "optimizer_states", "lr_schedulers", "callbacks")
    first, second = (plain({part: state[part] for part in parts}, "") for state in states)
    for part in parts[:-1]:
        assert first[part] == second[part], part
    assert first["callbacks"]["Lookahead"] == second["callbacks"]["Lookahead"]
    module = package.load("logs/run/version_0")
    assert bool(module.net.whiten.learned)
    assert module.predict(torch.zeros(2, 3, 12, 12, dtype=torch.uint8)).shape == (2, 3)


class Weights(L.Callback):
    """Keeps the weights after each step, and what Lookahead makes of them."""

    def on_train_start(self, trainer, pl_module):
        self.states = [self.copied(pl_module)]
        trainer.optimizers[0].register_step_post_hook(lambda *_: self.states.append(self.copied(pl_module)))

    def copied(self, module):
        return {name: w.clone() for name, w in module.state_dict().items() if w.is_floating_point()}


def test_lookahead_is_the_loop_over_steps():
    torch.manual_seed(0)
    module = package.LitVGG(num_classes=3, image_size=8, widths=[4, "M", 4], lr=0.01, optimizer="SGD")
    before, after = Weights(), Weights()
    lookahead = package.Lookahead(every=3, decay=0.8)
    trainer = L.Trainer(
        max_epochs=2, logger=False, enable_checkpointing=False, callbacks=[before, lookahead, after], **QUIET
    )
    trainer.fit(module, data(image_size=8))
    steps = trainer.global_step
    slow = before.states[0]
    for step in range(1, steps + 1):
        fast = before.states[step]
        if step == steps or step % 3 == 0:
            keep = 1.0 if step == steps else 0.8 * (step / steps) ** 3
            slow = fast = {name: keep * slow[name] + (1 - keep) * fast[name] for name in slow}
        for name, weight in fast.items():
            torch.testing.assert_close(after.states[step][name], weight)
    assert steps == 8


@pytest.mark.parametrize("settings", [{"every": 0}, {"decay": 1.0}])
def test_lookahead_refuses(settings):
    with pytest.raises(ConfigError, match="Lookahead's `(every|decay)` has to be .*, but got (0|1.0)"):
        package.Lookahead(**settings)


def airbench(calls):
    module = package.LitAirbench(image_size=12, num_classes=3, **RECIPE, **NARROW)
    return module, data(), {"max_epochs": 3, "callbacks": [package.Lookahead(every=2)]}


def test_the_fast_loop_takes_muon_groups_and_lookahead(tmp_path):
    (tmp_path / "runs").mkdir()
    left = both(tmp_path / "runs", airbench)
    assert left.alone > 0
    assert left.error == ""

import json

import lightning.pytorch as L
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lit_cnn
from lit_cnn.cli.known_settings import family_of
from lit_cnn.models import ARCHITECTURES
from lit_cnn.training import architectures
from lit_cnn.training.classifier import LitClassifier
from lit_cnn.training.lit_network import LitNetwork
from lit_cnn.typed_arguments import subclasses_of

# Settings that keep a network small, or else what an optimizer keeps of it; and a shape of images where it is not that
# of its smallest ones.
SMALL = {
    "LitAlexNet": {"hidden": 8},
    "LitZFNet": {"widths": [8, 8, 8, 8, 8], "hidden": 8},
    "LitVGG": {"widths": [4, "M", 8, "M", 8, "M", 8, "M", 8, "M"]},
    "LitResNet": {"name": "resnet18", "optimizer": "SGD"},
    **{name: {"optimizer": "SGD"} for name in ("LitGoogLeNet", "LitInceptionV2", "LitInceptionV3")},
    "LitPreActResNet": {"name": "wide_resnet16_4"},
}
SHAPES = {"LitMLP": (1, 2, 3), "LitPointwiseCNN": (2, 1, 1), "LitDilatedCNN": (2, 1, 1), "LitVGG": (3, 32, 32)}


def smallest(name):
    """Returns the shape of the smallest images that a Lit class takes, as the registry of networks has it."""
    sizes = [entry.smallest for network, entry in ARCHITECTURES.items() if family_of(network)[0] == name]
    return (1, max(sizes), max(sizes))


LIT_CLASSES = {
    c.__name__: (SHAPES.get(c.__name__) or smallest(c.__name__), SMALL.get(c.__name__, {}))
    for c in subclasses_of(LitNetwork)
    if c.__module__ == architectures.__name__
}


@pytest.fixture
def trainer(tmp_path):
    return L.Trainer(
        max_epochs=2,
        accelerator="cpu",
        default_root_dir=tmp_path,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def loader(n=40, shape=(1, 4, 4), classes=3, batch_size=8):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(n, *shape, generator=generator)
    labels = torch.randint(0, classes, (n,), generator=generator)
    return DataLoader(TensorDataset(images, labels), batch_size=batch_size)


def small_net(classes=3):
    return nn.Sequential(nn.Flatten(), nn.Linear(16, classes))


def test_every_lit_class_is_public():
    assert set(LIT_CLASSES) == {name for name in lit_cnn.__all__ if name.startswith("Lit")} - {"LitClassifier"}


@pytest.mark.parametrize("name", LIT_CLASSES)
def test_lit_class_trains_and_comes_back_from_its_checkpoint(name, tmp_path):
    shape, settings = LIT_CLASSES[name]
    cls = getattr(lit_cnn, name)
    module = cls(in_channels=shape[0], num_classes=3, image_size=shape[1:], **settings)
    if name == "LitAirbench":  # loaders of others give it no images to learn its first layer from
        module.net.whiten.learn(torch.randn(100, *shape))
    before = {k: v.clone() for k, v in module.state_dict().items()}
    trainer = L.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(module, loader(8, shape, batch_size=4), loader(4, shape))
    assert any(not torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert {"train/acc", "train/nll", "val/acc", "val/nll"} <= set(trainer.callback_metrics)
    trainer.save_checkpoint(tmp_path / "x.ckpt")
    again = cls.load_from_checkpoint(tmp_path / "x.ckpt", weights_only=True).eval()
    images = torch.randn(2, *shape)
    assert torch.equal(again(images), module.eval()(images))
    assert dict(again.hparams) == dict(module.hparams)
    assert not [k for k, v in module.hparams_initial.items() if isinstance(v, tuple)]


@pytest.mark.parametrize("name", LIT_CLASSES)
def test_lit_class_works_without_arguments(name):
    module = getattr(lit_cnn, name)()
    shape = (module.hparams["in_channels"], module.hparams["image_size"], module.hparams["image_size"])
    assert module(torch.randn(2, *shape)).shape == (2, 10)


def test_classifier_takes_foreign_networks_and_loaders(trainer):
    module = LitClassifier(small_net(), num_classes=3, lr=0.1)
    trainer.fit(module, loader())
    (values,) = trainer.test(module, loader(), verbose=False)
    with torch.no_grad():
        images, labels = (torch.cat(parts) for parts in zip(*loader(), strict=True))
        logits = module.eval()(images)
    assert values["test/acc"] == pytest.approx(float((logits.argmax(1) == labels).float().mean()))
    assert values["test/nll"] == pytest.approx(float(nn.functional.cross_entropy(logits, labels)), rel=1e-5)
    of_1 = labels == 1
    assert values["test/acc_of/1"] == pytest.approx(float((logits.argmax(1) == 1)[of_1].float().mean()))


class NoteLearningRates(L.Callback):
    def __init__(self):
        self.rates = []

    def on_train_batch_start(self, trainer, *_):
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])


@pytest.mark.parametrize(("interval", "different"), [("step", 10), ("epoch", 2)])
def test_scheduler_is_stepped_by_its_interval(trainer, interval, different):
    noted = NoteLearningRates()
    trainer.callbacks.append(noted)
    module = LitClassifier(
        small_net(), 3, lr=0.1, optimizer="SGD", scheduler="CosineAnnealingLR", scheduler_interval=interval
    )
    trainer.fit(module, loader())
    assert len(noted.rates) == 10
    assert len(set(noted.rates)) == different
    steps = [i if interval == "step" else i // 5 for i in range(10)]
    expected = [0.05 * (1 + torch.cos(torch.tensor(torch.pi * s / different))) for s in steps]
    assert noted.rates == pytest.approx([float(e) for e in expected], rel=1e-4)


def test_one_cycle_spans_the_run(trainer):
    noted = NoteLearningRates()
    trainer.callbacks.append(noted)
    module = LitClassifier(
        small_net(), 3, lr=0.1, optimizer="SGD", optimizer_args={"momentum": 0.9},
        scheduler="OneCycleLR", scheduler_interval="step",
    )  # fmt: skip
    trainer.fit(module, loader())
    assert max(noted.rates) == pytest.approx(0.1, rel=0.05)
    assert noted.rates[0] == pytest.approx(0.1 / 25)
    assert noted.rates[-1] < 1e-5


def test_plateau_scheduler_follows_the_validation(trainer):
    module = LitClassifier(small_net(), 3, scheduler="ReduceLROnPlateau", scheduler_args={"patience": 0})
    trainer.fit(module, loader(), loader())
    assert module.lr_schedulers().last_epoch == 2


def test_training_reduces_the_loss_of_every_name(trainer):
    for loss in ("cross_entropy", "nll", "hinge"):
        module = LitClassifier(small_net(), 3, lr=0.05, loss=loss)
        images, labels = next(iter(loader(40, batch_size=40)))
        with torch.no_grad():
            before = float(module.loss(module(images), labels))
        L.Trainer(
            max_epochs=20, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False,
        ).fit(module, loader())  # fmt: skip
        with torch.no_grad():
            assert float(module.loss(module(images), labels)) < 0.8 * before


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"lr": -0.1}, "`lr` has to be a number above 0, but got -0.1"),
        ({"lr": float("nan")}, "`lr` has to be a number above 0, but got nan"),
        ({"optimizer": "Adm"}, "Did you mean 'Adam'"),
        ({"scheduler": "OneCycle"}, "Did you mean 'OneCycleLR'"),
        ({"label_smoothing": 2}, "`label_smoothing` has to be a share from 0 to 1, but got 2"),
    ],
)
def test_wrong_settings_are_refused_when_the_module_is_built(settings, match):
    with pytest.raises(ValueError, match=match):
        LitClassifier(small_net(), 3, **settings)


def test_norms_and_biases_are_left_out_of_weight_decay_where_asked():
    settings = {"optimizer": "SGD", "optimizer_args": {"weight_decay": 0.1}}
    module = lit_cnn.LitVGG(widths=[4, "M", 8], decay_norms_and_biases=False, **settings)
    decayed, others = module.configure_optimizers()["optimizer"].param_groups
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.1, 0)
    assert {p.dim() for p in decayed["params"]} == {2, 4}
    assert {p.dim() for p in others["params"]} == {1}
    assert len(decayed["params"]) + len(others["params"]) == len(list(module.parameters()))
    (group,) = lit_cnn.LitVGG(widths=[4, "M", 8], **settings).configure_optimizers()["optimizer"].param_groups
    assert group["weight_decay"] == 0.1
    assert group["fused"]


def test_test_time_flip_takes_the_mean_of_image_and_mirror_image():
    images = torch.randn(3, 3, 16, 16)
    plain = lit_cnn.LitLeNet(image_size=16).eval()
    flipped = lit_cnn.LitLeNet(image_size=16, test_time_flip=True).eval()
    flipped.load_state_dict(plain.state_dict())
    assert torch.equal(flipped(images), plain(images))
    assert torch.allclose(flipped.evaluate(images), (plain(images) + plain(images.flip(3))) / 2)
    assert torch.allclose(flipped.predict_step((images, None), 0), flipped.evaluate(images).softmax(1))


@pytest.mark.slow
def test_compiling_changes_no_name_in_a_checkpoint(tmp_path):
    states = []
    for how in (None, "default"):
        torch.manual_seed(0)
        module = LitClassifier(small_net(), 3, lr=0.1, compile=how)
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        trainer = L.Trainer(max_epochs=2, accelerator="cpu", default_root_dir=tmp_path / str(how), **quiet)
        trainer.fit(module, loader())
        trainer.save_checkpoint(tmp_path / "x.ckpt")
        states.append(torch.load(tmp_path / "x.ckpt", weights_only=True)["state_dict"])
    assert list(states[0]) == list(states[1])
    for plain, compiled in zip(states[0].values(), states[1].values(), strict=True):
        assert torch.allclose(plain, compiled, atol=1e-4)


def test_mixed_images_are_trained_with_the_shares_of_their_classes():
    data = lit_cnn.SyntheticDataModule(
        num_classes=3, image_size=16, train_images=200, batch_size=50, augment=[lit_cnn.Mixup(1.0)], seed=0
    )
    data.setup("fit")
    batches = list(data.train_dataloader())
    targets = torch.cat([targets for _, targets in batches])
    assert targets.shape == (180, 3)
    assert torch.allclose(targets.sum(1), torch.ones(180))
    assert ((targets > 0).sum(1) == 2).any()
    module = lit_cnn.LitLeNet(num_classes=3, image_size=16)
    logits, loss = module.loss_of(*batches[0])
    expected = -(logits.log_softmax(1) * batches[0][1]).sum(1).mean()
    assert torch.allclose(loss, expected)


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "64-true"])
def test_precisions_work_with_our_data(tmp_path, precision):
    data = lit_cnn.SyntheticDataModule(num_classes=3, image_size=16, train_images=100, batch_size=32)
    module = lit_cnn.LitLeNet(num_classes=3, image_size=16)
    trainer = L.Trainer(
        max_epochs=1, accelerator="cpu", precision=precision, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, data)
    assert 0 < float(trainer.callback_metrics["val/nll"]) < 3


class OwnStep(LitClassifier):
    def training_step(self, batch, batch_idx):
        return self.loss(self(batch[0]), batch[1])


class OwnMLP(lit_cnn.LitMLP):
    training_step = OwnStep.training_step


class CountingStep(LitClassifier):
    def training_step(self, batch, batch_idx):
        logits = self(batch[0])
        self.count(logits, batch[1], "train")
        return self.loss(logits, batch[1])


def test_figures_of_no_image_are_not_logged_and_a_step_of_its_own_may_count(trainer, tmp_path):
    module = OwnStep(small_net(), num_classes=3)
    with pytest.warns(
        UserWarning, match="train/acc and train/nll are missing.*\n.*OwnStep's own has to call.*self.count"
    ):
        trainer.fit(module, loader(), loader(n=20))
    assert {"val/acc", "val/nll"} <= set(trainer.callback_metrics)
    assert not {"train/acc", "train/nll"} & set(trainer.callback_metrics)
    module = CountingStep(small_net(), num_classes=3, lr=1e-9)
    fresh = L.Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_progress_bar=False,
                      enable_model_summary=False, enable_checkpointing=False)  # fmt: skip
    fresh.fit(module, loader())
    images, labels = loader().dataset.tensors
    right = float((module(images).argmax(1) == labels).float().mean())
    assert float(fresh.callback_metrics["train/acc"]) == pytest.approx(right)


def test_a_class_without_test_images_has_no_accuracy(trainer):
    images, labels = loader(classes=2).dataset.tensors
    trainer.test(LitClassifier(small_net(), num_classes=3), DataLoader(TensorDataset(images, labels)), verbose=False)
    assert {"test/acc_of/0", "test/acc_of/1"} <= set(trainer.callback_metrics)
    assert "test/acc_of/2" not in trainer.callback_metrics


def test_a_step_of_its_own_leaves_no_figures_of_nothing_in_a_run(lit_cnn, tmp_path):
    run = ("fit", "--config", "quickstart", "--model", "OwnMLP", "--trainer.max_epochs", "1", "--name", "run",
           "--trainer.accelerator", "cpu", "--pictures.enabled", "false")  # fmt: skip
    with pytest.warns(UserWarning, match="train/acc and train/nll are missing"):
        outcome = lit_cnn(*run)
    assert outcome.code == 0, outcome.err
    assert "nan" not in outcome.out
    assert " train acc" not in outcome.out
    assert not any(line.startswith("train ") for line in outcome.out.splitlines())
    results = json.loads((tmp_path / "logs/run/version_0/results.json").read_text())
    assert [name for name in results if name.startswith("train/")] == []
    rows = (tmp_path / "logs/run/version_0/metrics.csv").read_text()
    assert "train/acc" not in rows

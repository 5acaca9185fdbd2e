"""Fine-tuning: weights with other first and last layers, a learning rate of the body, and epochs of the head only."""

import lightning.pytorch as L
import pytest
import torch
from torch import nn

from lit_cnn import LitAirbench, LitClassifier, LitCNN, LitMLP, LitResNet, SyntheticDataModule
from lit_cnn.errors import CheckpointError, ConfigError
from lit_cnn.models.heads import body_of, heads_of

TRAINER = {
    "accelerator": "cpu", "logger": False, "enable_checkpointing": False, "enable_progress_bar": False,
    "enable_model_summary": False,
}  # fmt: skip


def data():
    sizes = {"image_size": 12, "num_classes": 3, "train_images": 60, "test_images": 10, "batch_size": 16}
    return SyntheticDataModule(in_channels=1, **sizes)


class Patched(nn.Module):
    """Has a parameter beside its layers, as vision transformers do."""

    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1))
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Flatten())
        self.classifier = nn.Linear(400, 3)

    def forward(self, images):
        return self.classifier(self.features(images + self.token))


def test_body_is_all_but_the_head():
    net = Patched()
    assert heads_of(net) == ("classifier",)
    body = {id(p) for p in body_of(net).parameters()}
    assert body == {id(p) for name, p in net.named_parameters() if not name.startswith("classifier")}


@pytest.mark.parametrize("resume", [False, True])
def test_body_is_frozen_for_some_epochs_and_then_trained(tmp_path, resume):
    settings = {"scheduler": "CosineAnnealingLR", "scheduler_args": {"T_max": 10}, "optimizer": "SGD", "lr": 0.1}
    module = LitClassifier(Patched(), 3, frozen_epochs=2, **settings)
    before = {name: value.clone() for name, value in module.net.state_dict().items()}

    def changed(net):
        return {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}

    trainer = L.Trainer(max_epochs=2, **TRAINER)
    trainer.fit(module, data())
    assert changed(module.net) == {"classifier.weight", "classifier.bias"}
    if resume:  # in another process, which knows nothing of the first
        trainer.save_checkpoint(tmp_path / "x.ckpt")
        module = LitClassifier(Patched(), 3, frozen_epochs=2, **settings)
        trainer = L.Trainer(max_epochs=3, **TRAINER)
        trainer.fit(module, data(), ckpt_path=tmp_path / "x.ckpt", weights_only=True)
    else:
        trainer.fit_loop.max_epochs = 3
        trainer.fit(module, data())
    assert changed(module.net) == set(before)
    assert module.net.features[1].training


def test_body_has_a_learning_rate_of_its_own():
    module = LitClassifier(
        Patched(), 3, lr=0.1, body_lr=0.01, optimizer="SGD", param_groups=[{"pattern": "token", "lr": 1}]
    )
    trainer = L.Trainer(max_epochs=1, **TRAINER)
    trainer.fit(module, data())
    names = {id(p): name for name, p in module.net.named_parameters()}
    rates = {names[id(p)]: g["lr"] for g in trainer.optimizers[0].param_groups for p in g["params"]}
    assert rates.pop("token") == 1
    assert {name: rate for name, rate in rates.items() if rate == 0.1}.keys() == {
        "classifier.weight",
        "classifier.bias",
    }
    assert set(rates.values()) == {0.1, 0.01}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"body_lr": 0.0}, "`body_lr` has to be a number above 0 or None, but got 0"),
        ({"frozen_epochs": -1}, "`frozen_epochs` has to be a whole number from 0 up, but got -1"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        LitMLP(**settings)
    with pytest.raises(ConfigError, match="Flatten has no last layer"):
        LitClassifier(nn.Flatten(), 3, frozen_epochs=1)
    with pytest.raises(ConfigError, match="Remove one"):
        LitResNet(freeze_body=True, frozen_epochs=1)


def test_weights_that_come_with_the_package_start_a_network_of_other_classes():
    module = LitAirbench(num_classes=4, weights="airbench94_cifar")
    assert module.start == "\nstarts from airbench94_cifar: head is initialised again"
    assert bool(module.net.whiten.learned)
    with pytest.raises(CheckpointError, match="no such file.* or one of airbench94_cifar"):
        LitAirbench(weights="airbench94")
    with pytest.raises(CheckpointError, match="do not fit CNN"):
        LitCNN(weights="airbench94_cifar")


def test_kernels_of_colour_images_are_summed_for_grey_ones_and_said(tmp_path):
    theirs = LitResNet(stem="imagenet")
    torch.save(theirs.net.state_dict(), tmp_path / "w.pth")
    ours = LitResNet(stem="imagenet", in_channels=1, weights=str(tmp_path / "w.pth"))
    assert "the kernels of conv1 are summed over the colours" in ours.start
    grey = torch.randn(2, 1, 40, 40)
    with torch.no_grad():
        assert torch.allclose(ours.eval()(grey), theirs.eval()(grey.expand(-1, 3, -1, -1)), atol=1e-4)
    torch.save(ours.net.state_dict(), tmp_path / "grey.pth")
    again = LitResNet(stem="imagenet", weights=str(tmp_path / "grey.pth"))
    with torch.no_grad():
        assert torch.allclose(again.eval()(grey.expand(-1, 3, -1, -1)), ours(grey), atol=1e-4)

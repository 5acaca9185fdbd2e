"""Parts of lit_cnn in other programs: data modules, classifiers, networks, transforms."""

import runpy
import subprocess
import sys
from pathlib import Path

import lightning.pytorch as L
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lit_cnn

ROOT = Path(lit_cnn.__file__).parents[1]
FAST = {
    "accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False,
    "enable_checkpointing": False,
}  # fmt: skip


def synthetic():
    return lit_cnn.SyntheticDataModule(num_classes=3, image_size=16, train_images=200, test_images=60, noise=0.3)


@pytest.mark.parametrize("name", lit_cnn.__all__)
def test_every_public_name_has_an_example(name):
    assert ">>> " in getattr(lit_cnn, name).__doc__  # which test_house runs, with all others


class Foreign(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 3))
        self.right = self.seen = 0

    def training_step(self, batch, batch_idx):
        images, labels = batch
        return nn.functional.cross_entropy(self.net(images), labels)

    def validation_step(self, batch, batch_idx):
        pass

    def test_step(self, batch, batch_idx):
        images, labels = batch
        self.right += int((self.net(images).argmax(1) == labels).sum())
        self.seen += len(labels)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def test_data_module_with_a_foreign_lightning_module():
    module, data = Foreign(), synthetic()
    trainer = L.Trainer(max_epochs=3, **FAST)
    trainer.fit(module, data)
    trainer.test(module, data, verbose=False)
    assert module.seen == 60
    assert module.right > 40


def test_classifier_with_a_foreign_network_and_loader():
    labels = torch.arange(120) % 2
    images = torch.randn(120, 1, 4, 4) + labels[:, None, None, None]
    loader = DataLoader(TensorDataset(images, labels), batch_size=20)
    module = lit_cnn.LitClassifier(nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), num_classes=2, lr=0.05)
    trainer = L.Trainer(max_epochs=5, **FAST)
    trainer.fit(module, loader)
    (values,) = trainer.test(module, loader, verbose=False)
    assert values["test/acc"] > 0.9


def test_data_module_in_a_plain_loop():
    data = synthetic()
    data.setup("fit")
    net = lit_cnn.models.create("lenet", num_classes=3, image_size=16)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    losses = []
    for epoch in range(4):
        loader = data.train_dataloader()
        loader.sampler.set_epoch(epoch)
        for images, labels in loader:
            loss = nn.functional.cross_entropy(net(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_network_alone_takes_greyscale():
    net = lit_cnn.models.create("resnet18", num_classes=10, in_channels=1).eval()
    assert net(torch.zeros(2, 1, 32, 32)).shape == (2, 10)


@pytest.mark.slow
def test_types_are_seen_from_outside(tmp_path):
    pytest.importorskip("mypy", reason="mypy is in the extra dev")
    assert (Path(lit_cnn.__file__).parent / "py.typed").is_file()
    (tmp_path / "theirs.py").write_text(
        "import lit_cnn, torch, typing\n"
        "module = lit_cnn.load('run')\n"
        "typing.assert_type(module.classify('x.png'), list[str])\n"
        "typing.assert_type(lit_cnn.models.create('resnet18', num_classes=10), torch.nn.Module)\n"
        "lit_cnn.LitVGG(num_classes='ten')\n"
    )
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", "--ignore-missing-imports", "theirs.py"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={"MYPYPATH": str(ROOT)})
    errors = [line for line in found.stdout.splitlines() if line.startswith("theirs.py:")]
    assert [line.startswith("theirs.py:5: error: ") for line in errors] == [True], found.stdout
    assert "num_classes" in errors[0]


@pytest.mark.slow
def test_permutation_example_shows_that_the_cnn_loses_and_the_mlp_does_not(capsys):
    runpy.run_path(str(ROOT / "examples" / "permutation.py"), run_name="__main__")
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    found = {(row[0], row[1]): (float(row[2]), float(row[4])) for row in rows}
    seeds = int(rows[0][-2])
    assert [*found] == [(net, kind) for net in ("LitMLP", "LitCNN") for kind in ("as-is", "permuted", "lost")]
    assert found["LitMLP", "as-is"][0] < found["LitCNN", "as-is"][0] - 4
    lost, spread = found["LitCNN", "lost"]
    assert lost > 6
    assert lost > 5 * spread / seeds**0.5
    unaffected, spread = found["LitMLP", "lost"]
    assert abs(unaffected) < 3 * spread / seeds**0.5
    assert abs(unaffected) < lost / 2

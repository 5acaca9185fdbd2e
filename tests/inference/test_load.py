import lightning.pytorch as L
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lit_cnn
from lit_cnn.errors import CheckpointError, DataError
from lit_cnn.runs.class_paths import find_class
from lit_cnn.training.classifier import LitClassifier


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A module, its data and its checkpoint, trained from Python on permuted images."""
    folder = tmp_path_factory.mktemp("trained")
    data = lit_cnn.SyntheticDataModule(num_classes=3, image_size=16, train_images=200, test_images=50, permute=True)
    module = lit_cnn.LitLeNet(num_classes=3, image_size=16, widths=[4, 8], lr=3e-3)
    trainer = L.Trainer(
        max_epochs=2, accelerator="cpu", default_root_dir=folder, logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False,
    )  # fmt: skip
    trainer.fit(module, data)
    (values,) = trainer.test(module, data, verbose=False)
    (folder / "checkpoints").mkdir()
    trainer.save_checkpoint(folder / "checkpoints" / "best.ckpt")
    return folder, data, values["test/acc"]


def test_load_predicts_as_the_test_did(trained):
    folder, data, accuracy = trained
    module = lit_cnn.load(folder)
    assert not module.training
    assert isinstance(module, lit_cnn.LitLeNet)
    test = data.arrays("test")
    probabilities = module.predict(test.images)
    assert torch.allclose(probabilities.sum(1), torch.ones(50))
    assert float((probabilities.argmax(1) == test.labels).float().mean()) == pytest.approx(accuracy)


def test_load_takes_paths_pictures_and_arrays_alike(trained, tmp_path):
    folder, data, _ = trained
    module = lit_cnn.load(folder / "checkpoints" / "best.ckpt")
    pixels = data.arrays("test").images[0].permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(tmp_path / "x.png")
    as_tensor = module.predict(data.arrays("test").images[:1])
    greyscale = pixels[:, :, :1]
    assert torch.equal(module.predict(greyscale), module.predict(greyscale[:, :, 0]))
    for image in (str(tmp_path / "x.png"), tmp_path / "x.png", Image.open(tmp_path / "x.png"), pixels):
        assert torch.equal(module.predict(image), as_tensor)
    assert module.classify([]) == []
    assert module.classify([pixels, pixels]) == [data.class_names[int(as_tensor.argmax())]] * 2
    assert module.predict(Image.new("L", (40, 30))).shape == (1, 3)


def test_predict_refuses_what_it_cannot_read(trained, tmp_path):
    module = lit_cnn.load(trained[0])
    (tmp_path / "x.png").write_text("text")
    with pytest.raises(DataError, match="x.png is not an image that can be read"):
        module.predict(tmp_path / "x.png")
    with pytest.raises(ValueError, match=r"uint8 \[b, 3, 16, 16\], but got torch.float32 \[1, 3, 16, 16\]"):
        module.predict(torch.zeros(1, 3, 16, 16))
    with pytest.raises(ValueError, match="uint8, but got float64"):
        module.predict(np.zeros((16, 16, 3)))
    with pytest.raises(ValueError, match="Only a module from `lit_cnn.load`"):
        lit_cnn.LitMLP().predict(tmp_path / "x.png")


def test_load_names_what_is_wrong(trained, tmp_path):
    with pytest.raises(CheckpointError, match="There is no checkpoint .*nowhere"):
        lit_cnn.load(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="no run, and no checkpoints/best.ckpt or last.ckpt"):
        lit_cnn.load(tmp_path)
    broken = tmp_path / "broken.ckpt"
    broken.write_bytes((trained[0] / "checkpoints" / "best.ckpt").read_bytes()[:2000])
    with pytest.raises(CheckpointError, match="broken.ckpt cannot be read as a checkpoint"):
        lit_cnn.load(broken)
    torch.save({"state_dict": {}}, tmp_path / "plain.pt")
    with pytest.raises(CheckpointError, match="plain.pt is not a checkpoint of lit_cnn"):
        lit_cnn.load(tmp_path / "plain.pt")
    checkpoint = torch.load(trained[0] / "checkpoints" / "best.ckpt", weights_only=True)
    torch.save(checkpoint | {"class_path": "lit_cnn.training.classifier.LitClassifier"}, tmp_path / "own.ckpt")
    with pytest.raises(CheckpointError, match="contains a network that was given as an object"):
        lit_cnn.load(tmp_path / "own.ckpt")
    torch.save(checkpoint | {"class_path": "elsewhere.LitOther"}, tmp_path / "other.ckpt")
    with pytest.raises(CheckpointError, match="contains the class LitOther. Import elsewhere first"):
        lit_cnn.load(tmp_path / "other.ckpt")


def test_load_says_what_to_do_with_foreign_data(tmp_path):
    module = LitClassifier(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), 2)
    trainer = L.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, DataLoader(TensorDataset(torch.zeros(4, 1, 2, 2), torch.tensor([0, 1, 0, 1])), batch_size=2))
    trainer.save_checkpoint(tmp_path / "x.ckpt")
    with pytest.raises(CheckpointError, match="data of another project"):
        lit_cnn.load(tmp_path / "x.ckpt")


class LitNarrow(lit_cnn.LitMLP):
    """A class of a user's own, which takes few of its base's arguments."""

    def __init__(self, width: int = 4, num_classes: int = 10):
        super().__init__(1, num_classes, 28, [width])


def test_a_class_that_takes_few_of_its_bases_arguments_is_loaded(tmp_path):
    data = lit_cnn.SyntheticDataModule(in_channels=1, image_size=28, train_images=100)
    trainer = L.Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
                        enable_progress_bar=False, enable_model_summary=False)  # fmt: skip
    module = LitNarrow(width=3)
    trainer.fit(module, data)
    trainer.save_checkpoint(tmp_path / "narrow.ckpt")
    loaded = lit_cnn.load(tmp_path / "narrow.ckpt")
    images = torch.zeros(2, 1, 28, 28)
    assert torch.equal(loaded(images), module.eval()(images))


def test_a_shell_can_name_the_module_of_a_checkpoint(tmp_path, monkeypatch):
    (tmp_path / "mine_alone.py").write_text("import lit_cnn\n\nclass LitMine(lit_cnn.LitMLP):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_class("mine_alone.LitMine", LitClassifier) is None
    monkeypatch.setenv("LIT_CNN_ALLOW", "mine_alone")
    assert find_class("mine_alone.LitMine", LitClassifier).__name__ == "LitMine"

"""A training that resumes from any of its checkpoints ends as if it had never stopped."""

import csv
from hashlib import sha256

import lightning.pytorch as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

import lit_cnn

pytestmark = pytest.mark.filterwarnings("ignore:The dirpath has changed")  # the runs are compared side by side


def fit(folder, ckpt_path=None, **settings):
    L.seed_everything(0, verbose=False)
    data = lit_cnn.SyntheticDataModule(
        num_classes=4, in_channels=1, image_size=16, train_images=225, val_size=25, batch_size=16,
        augment=[lit_cnn.RandomCrop(2), lit_cnn.RandomFlip()],
    )  # fmt: skip
    net = torch.nn.Sequential(
        *(torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Flatten()),
        *(torch.nn.Dropout(0.3), torch.nn.Linear(4 * 14 * 14, 4)),
    )
    module = lit_cnn.LitClassifier(net, num_classes=4, lr=0.01, scheduler="OneCycleLR", scheduler_interval="step")
    trainer = L.Trainer(
        **{"max_epochs": 3, "log_every_n_steps": 3} | settings, accelerator="cpu", default_root_dir=folder,
        enable_progress_bar=False, enable_model_summary=False, logger=CSVLogger(folder, name="", version=""),
        callbacks=[
            ModelCheckpoint(folder, "{step}", every_n_train_steps=5, save_top_k=-1),
            ModelCheckpoint(folder, "end{epoch}-{step}", save_top_k=-1),
        ],
    )  # fmt: skip
    trainer.fit(module, data, ckpt_path=ckpt_path, weights_only=True)
    return module, trainer


def fingerprint(module, trainer):
    state = [tensor for _, tensor in sorted(module.net.state_dict().items())]
    for parameter_state in trainer.optimizers[0].state_dict()["state"].values():
        state += [torch.as_tensor(value) for _, value in sorted(parameter_state.items())]
    text = str(trainer.lr_scheduler_configs[0].scheduler.state_dict())
    return sha256(b"".join(t.contiguous().numpy().tobytes() for t in state) + text.encode()).hexdigest()


def logged(folder, after):
    if not (folder / "metrics.csv").exists():  # there was nothing left to do
        return []
    with (folder / "metrics.csv").open() as file:
        rows = [{key: value for key, value in row.items() if value} for row in csv.DictReader(file)]
    return [row for row in rows if int(row["step"]) >= after]


@pytest.mark.parametrize("settings", [{}, {"accumulate_grad_batches": 2}, {"max_epochs": -1, "max_steps": 31}])
def test_resume_from_every_checkpoint_is_exact(tmp_path, settings):
    uninterrupted = fit(tmp_path / "whole", **settings)
    checkpoints = sorted((tmp_path / "whole").glob("*.ckpt"))
    assert len(checkpoints) > 5
    for path in checkpoints:
        resumed = fit(tmp_path / path.stem, path, **settings)
        assert fingerprint(*resumed) == fingerprint(*uninterrupted), path.name
        step = torch.load(path, weights_only=True)["global_step"]
        assert logged(tmp_path / path.stem, step) == logged(tmp_path / "whole", step), path.name


def test_without_the_checkpoint_s_state_the_result_is_another(tmp_path):
    whole = fingerprint(*fit(tmp_path / "whole"))
    path = next((tmp_path / "whole").glob("step=5.ckpt"))
    checkpoint = torch.load(path, weights_only=True)
    del checkpoint["loops"]["fit_loop"]["state_dict"]["combined_loader"]
    torch.save(checkpoint, tmp_path / "forgot.ckpt")
    assert fingerprint(*fit(tmp_path / "resumed", tmp_path / "forgot.ckpt")) != whole

"""Fewer calls into Lightning change nothing but the time."""

import csv

import lightning.pytorch as L
import pytest
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loops.evaluation_loop import _EvaluationLoop

import lit_cnn
from lit_cnn.classifiers import LitClassifier
from lit_cnn.loop import FewerCalls, _FewerCallsEvaluation, _FewerCallsLoop


class NoteLoop(L.Callback):
    loop = evaluation = None

    def on_validation_epoch_start(self, trainer, pl_module):
        self.evaluation = type(trainer._active_loop)

    on_test_epoch_start = on_validation_epoch_start

    def on_train_epoch_end(self, trainer, pl_module):
        self.loop = type(trainer.fit_loop.epoch_loop)


class WatchBatches(NoteLoop):
    def on_train_batch_end(self, *_):
        pass


class WatchEvaluation(L.Callback):
    def on_validation_batch_end(self, *_):
        pass

    def on_test_batch_end(self, *_):
        pass


def fit(folder, few, callbacks=(), model=None, monitor=False, **settings):
    data = lit_cnn.SyntheticDataModule(
        num_classes=4, in_channels=1, image_size=16, train_images=500, batch_size=8, seed=0,
        augment=[lit_cnn.RandomCrop(2)],
    )  # fmt: skip
    torch.manual_seed(0)
    module = (model or lit_cnn.LitMLP)(
        num_classes=4, image_size=16, lr=0.01, scheduler="OneCycleLR", scheduler_interval="step"
    )
    if not few:
        module.configure_callbacks = lambda: []
    note = NoteLoop()
    trainer = L.Trainer(
        **{"max_epochs": 2, "log_every_n_steps": 7} | settings, accelerator="cpu", default_root_dir=folder,
        enable_progress_bar=False, enable_model_summary=False, logger=CSVLogger(folder, name="", version=""),
        callbacks=[
            note, ModelCheckpoint(folder, "{step}", every_n_train_steps=10, save_top_k=-1),
            *callbacks, *[LearningRateMonitor()] * monitor,
        ],
    )  # fmt: skip
    trainer.fit(module, data)
    return module, trainer, note.loop is _FewerCallsLoop


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"monitor": True},
        {"max_steps": 33},
        {"limit_train_batches": 17, "val_check_interval": 5},
        {"val_check_interval": 9, "check_val_every_n_epoch": None},
        {"precision": "bf16-mixed"},
    ],
)
def test_weights_logs_and_checkpoints_are_those_of_one_step_at_a_time(tmp_path, settings):
    one, few = (fit(tmp_path / name, name == "few", **settings) for name in ("one", "few"))
    assert (one[2], few[2]) == (False, True)
    assert all(torch.equal(a, b) for a, b in zip(one[0].parameters(), few[0].parameters(), strict=True))
    assert one[1].fit_loop.state_dict() == few[1].fit_loop.state_dict()
    assert one[1].global_step == few[1].global_step > 0
    logs = [(tmp_path / name / "metrics.csv").read_text() for name in ("one", "few")]
    assert logs[0] == logs[1]
    assert "train/loss" in logs[0]
    metrics = [{name: float(value) for name, value in run[1].callback_metrics.items()} for run in (one, few)]
    assert metrics[0] == metrics[1]
    assert metrics[0]["train/loss"] > 0
    names = [sorted(p.name for p in (tmp_path / name).glob("*.ckpt")) for name in ("one", "few")]
    assert names[0] == names[1] != []
    for name in names[0]:
        a, b = (torch.load(tmp_path / run / name, weights_only=True) for run in ("one", "few"))
        assert a["loops"] == b["loops"]
        assert str(a["optimizer_states"]) == str(b["optimizer_states"])
        assert a["lr_schedulers"] == b["lr_schedulers"]


class OwnStep(lit_cnn.LitMLP):
    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_evaluation_is_that_of_one_batch_at_a_time(tmp_path, precision):
    found = {}
    for kind, extra in (("one", [WatchEvaluation()]), ("few", [])):
        data = lit_cnn.SyntheticDataModule(num_classes=4, in_channels=1, image_size=16, eval_batch_size=33, seed=0)
        torch.manual_seed(0)
        module, note = lit_cnn.LitCNN(num_classes=4, image_size=16), NoteLoop()
        trainer = L.Trainer(
            precision=precision, accelerator="cpu", default_root_dir=tmp_path, enable_progress_bar=False,
            callbacks=[note, *extra], logger=CSVLogger(tmp_path / kind, name="", version=""),
        )  # fmt: skip
        metrics = trainer.validate(module, data, verbose=False) + trainer.test(module, data, verbose=False)
        found[kind] = metrics, note.evaluation, trainer.test_loop.batch_progress.state_dict()
        assert type(trainer.test_loop) is type(trainer.validate_loop) is _EvaluationLoop
        assert sum(isinstance(c, FewerCalls) for c in trainer.callbacks) == 1
    assert found["one"][0] == found["few"][0]
    assert found["one"][2] == found["few"][2]
    assert (found["one"][1], found["few"][1]) == (_EvaluationLoop, _FewerCallsEvaluation)


def test_the_log_of_a_run_that_breaks_off_is_complete(tmp_path):
    class Breaks(lit_cnn.LitMLP):
        def loss_of(self, images, labels):
            if self.global_step == 25:
                raise RuntimeError("broken off")
            return super().loss_of(images, labels)

    with pytest.raises(RuntimeError, match="broken off"):
        fit(tmp_path, True, model=Breaks)
    with (tmp_path / "metrics.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [6, 13, 20]


@pytest.mark.parametrize(
    "watched",
    [
        {"callbacks": [WatchBatches()]},
        {"model": OwnStep},
        {"accumulate_grad_batches": 2},
        {"gradient_clip_val": 1.0},
        {"precision": "64-true"},
        {"profiler": "simple"},
    ],
)
def test_steps_that_somebody_watches_are_taken_one_by_one(tmp_path, watched):
    assert not fit(tmp_path, True, **watched)[2]


def test_lightning_s_loop_is_back_when_the_training_ends(tmp_path):
    _, trainer, few = fit(tmp_path, True)
    assert few
    assert type(trainer.fit_loop.epoch_loop) is not _FewerCallsLoop
    assert next(c for c in trainer.callbacks if isinstance(c, FewerCalls)).base is LitClassifier

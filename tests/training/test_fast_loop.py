"""The fast loop: the same results as Lightning's loop, in less time."""

import csv
import tomllib
from datetime import timedelta
from pathlib import Path

import lightning.pytorch as L
import pytest
import torch
import yaml
from lightning.pytorch import callbacks as theirs
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from loops import QUIET, Counter, both, data
from torch.nn.utils import clip_grad_norm_

import lit_cnn
from lit_cnn.callbacks.progress import Progress
from lit_cnn.runs.settings import decisive
from lit_cnn.training import lightning_internals
from lit_cnn.training.classifier import LitClassifier
from lit_cnn.training.fast_loop import FewerCalls


class WatchBatches(L.Callback):
    def on_train_batch_end(self, *_):
        pass


class WatchEvaluation(L.Callback):
    def on_validation_batch_end(self, *_):
        pass

    def on_test_batch_end(self, *_):
        pass


def fit(folder, few, callbacks=(), model=None, monitor=False, **settings):
    data = lit_cnn.SyntheticDataModule(
        num_classes=4, in_channels=1, image_size=16, train_images=240, batch_size=8, seed=0,
        augment=[lit_cnn.RandomCrop(2)],
    )  # fmt: skip
    torch.manual_seed(0)
    module = (model or lit_cnn.LitMLP)(
        num_classes=4, image_size=16, lr=0.01, scheduler="OneCycleLR", scheduler_interval="step"
    )
    module.fast_loop = few
    trainer = L.Trainer(
        **{"max_epochs": 2, "log_every_n_steps": 7} | settings, accelerator="cpu", default_root_dir=folder,
        enable_progress_bar=False, enable_model_summary=False, logger=CSVLogger(folder, name="", version=""),
        callbacks=[
            ModelCheckpoint(folder, "{step}", every_n_train_steps=10, save_top_k=-1),
            *callbacks, *[LearningRateMonitor()] * monitor,
        ],
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        counter = Counter(patch)
        trainer.fit(module, data)
    return module, trainer, counter.alone > 0


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


def is_replaced(loop):
    return bool(vars(loop).keys() & {"advance", "_evaluation_step"})


class OwnStep(lit_cnn.LitMLP):
    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_evaluation_is_that_of_one_batch_at_a_time(tmp_path, monkeypatch, precision):
    found = {}
    seen = Counter(monkeypatch)
    for kind, extra in (("one", [WatchEvaluation()]), ("few", [])):
        data = lit_cnn.SyntheticDataModule(num_classes=4, in_channels=1, image_size=16, eval_batch_size=33, seed=0)
        torch.manual_seed(0)
        module, seen.evaluation = lit_cnn.LitCNN(num_classes=4, image_size=16), 0
        trainer = L.Trainer(
            precision=precision, accelerator="cpu", default_root_dir=tmp_path, enable_progress_bar=False,
            callbacks=extra, logger=CSVLogger(tmp_path / kind, name="", version=""),
        )  # fmt: skip
        metrics = trainer.validate(module, data, verbose=False) + trainer.test(module, data, verbose=False)
        found[kind] = metrics, seen.evaluation, trainer.test_loop.batch_progress.state_dict()
        assert not is_replaced(trainer.test_loop)
        assert not is_replaced(trainer.validate_loop)
        assert sum(isinstance(c, FewerCalls) for c in trainer.callbacks) == 1
    assert found["one"][0] == found["few"][0]
    assert found["one"][2] == found["few"][2]
    batches = len(data.val_dataloader()) + len(data.test_dataloader())
    assert batches > 40
    assert found["one"][1] == batches
    assert found["few"][1] < batches / 2


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


def test_lightning_s_loops_are_back_when_the_training_ends(tmp_path):
    _, trainer, few = fit(tmp_path, True)
    assert few
    assert next(c for c in trainer.callbacks if isinstance(c, FewerCalls)).base is LitClassifier
    assert not is_replaced(trainer.fit_loop.epoch_loop)
    assert not is_replaced(trainer.fit_loop.epoch_loop.val_loop)


@pytest.mark.parametrize("where", ["loss_of", "evaluate"])
def test_lightning_s_loops_are_back_after_an_exception(monkeypatch, where):
    trainer = L.Trainer(max_epochs=2, logger=False, **QUIET)
    loop = trainer.fit_loop.epoch_loop
    replaced = []

    def break_off(*_):
        replaced.append(is_replaced(loop if where == "loss_of" else loop.val_loop))
        raise RuntimeError("broken off")

    module = lit_cnn.LitMLP(num_classes=4, image_size=12)
    setattr(module, where, break_off)
    with pytest.raises(RuntimeError, match="broken off"):
        trainer.fit(module, data())
    assert replaced == [True]
    assert not is_replaced(loop)
    assert not is_replaced(loop.val_loop)
    counter = Counter(monkeypatch)
    trainer.fit(lit_cnn.LitMLP(num_classes=4, image_size=12), data())
    assert counter.alone > 0
    assert trainer.global_step == 24


def lenet(**settings):
    """Returns what `both` trains: LeNet, 13 batches an epoch."""

    def make(calls):
        kind = settings.get("kind", lit_cnn.LitLeNet)
        module = kind(calls) if "kind" in settings else kind(num_classes=4, in_channels=1, image_size=16, lr=3e-3)
        called = settings["callbacks"](calls) if "callbacks" in settings else []
        epochs = {"max_epochs": settings.get("max_epochs", 1)}
        return (
            module,
            data(train_images=130, image_size=16),
            epochs | {"callbacks": called, "num_sanity_val_steps": 0},
        )

    return make


def test_accumulation_that_begins_later_takes_fewer_steps(tmp_path):
    left = both(
        tmp_path,
        lenet(max_epochs=3, callbacks=lambda calls: [theirs.GradientAccumulationScheduler({1: 4})]),
    )
    assert left.step == 13 + 4 + 4
    assert 0 < left.alone < 13


def test_averaged_weights_with_batch_norm_take_an_epoch_without_steps(tmp_path):
    def net(calls):
        return lit_cnn.LitVGG(num_classes=4, in_channels=1, image_size=16, widths=[2, "M", "M", 2], lr=3e-3)

    left = both(
        tmp_path,
        lenet(max_epochs=3, kind=net, callbacks=lambda calls: [theirs.StochasticWeightAveraging(1e-3)]),
    )
    assert left.step == 3 * 13 + 1
    assert left.alone > 0


def test_a_hook_set_on_an_instance_is_called_at_each_batch(tmp_path):
    def callbacks(calls):
        return [
            theirs.LambdaCallback(on_train_batch_end=lambda t, m, out, batch, i: calls.append((i, float(out["loss"]))))
        ]

    left = both(tmp_path, lenet(callbacks=callbacks))
    assert [i for i, _ in left.calls] == list(range(13))


def test_clipping_of_one_s_own_is_done_at_each_step(tmp_path):
    class Clips(lit_cnn.LitLeNet):
        def __init__(self, calls):
            super().__init__(num_classes=4, in_channels=1, image_size=16, optimizer="SGD", lr=0.1)
            self.calls = calls

        def configure_gradient_clipping(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None):
            self.calls.append(float(clip_grad_norm_(self.parameters(), 1e-3)))

    assert len(both(tmp_path, lenet(kind=Clips)).calls) == 13


@pytest.mark.parametrize(
    "kind", [theirs.ModelCheckpoint, theirs.EarlyStopping, theirs.Timer, theirs.ProgressBar, Progress]
)
def test_a_subclass_with_a_hook_for_batches_gets_them_all(tmp_path, kind):
    class Mine(kind):
        def on_train_batch_end(self, *args):
            super().on_train_batch_end(*args)
            self.calls.append("batch")

        def on_validation_batch_end(self, *args):
            super().on_validation_batch_end(*args)
            self.calls.append("evaluation")

    def make(calls):
        mine = Mine(**{"monitor": "val/acc"} if kind is theirs.EarlyStopping else {})
        mine.calls = calls
        bar = {"enable_progress_bar": issubclass(kind, theirs.ProgressBar)}
        return lit_cnn.LitMLP(num_classes=4, image_size=12), data(), {"max_epochs": 1, "callbacks": [mine]} | bar

    left = both(tmp_path, make)
    assert left.calls.count("batch") == left.step == 12
    assert left.calls.count("evaluation") == left.shown


def test_plateaus_are_not_looked_for_at_each_step(lit_cnn, tmp_path):
    refused = lit_cnn(
        *("fit", "--config", "quickstart", "--model.scheduler", "ReduceLROnPlateau"),
        *("--model.scheduler_interval", "step"),
    )
    assert refused.code == 2
    assert "ReduceLROnPlateau needs val/nll, which is measured once per validation" in refused.err
    assert not Path("logs").exists()


def test_a_plateau_whose_metric_is_missing_is_refused_at_the_first_step(tmp_path):
    class Plateau(lit_cnn.LitMLP):
        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
            scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
            return [optimizer], [{"scheduler": scheduler, "interval": "step", "monitor": "val/nll"}]

    left = both(tmp_path, lambda calls: (Plateau(num_classes=4, image_size=12), data(), {"max_epochs": 1}))
    assert left.step == 1
    assert "ReduceLROnPlateau conditioned on metric val/nll which is not available" in left.error


def test_should_stop_waits_for_min_steps(tmp_path):
    def make(calls):
        stop = theirs.EarlyStopping("val/nll", min_delta=9.0, patience=0)
        return (
            lit_cnn.LitMLP(num_classes=4, image_size=12),
            data(),
            {"max_epochs": 9, "min_steps": 30, "callbacks": [stop]},
        )

    assert both(tmp_path, make).step == 30


def seconds_are_steps(taken):
    return lambda: float(taken.batches)


@pytest.mark.parametrize(
    ("settings", "steps", "validations"),
    [
        ({"max_epochs": 3, "callbacks": lambda: [theirs.Timer(timedelta(seconds=17))]}, 17, 2),
        ({"max_epochs": 3, "callbacks": lambda: [theirs.Timer(timedelta(seconds=0))]}, 0, 0),
        ({"max_epochs": 3, "max_time": {"seconds": 20}}, 20, 2),
        ({"max_epochs": 3, "callbacks": lambda: [theirs.Timer(timedelta(seconds=17), interval="epoch")]}, 24, 2),
        (
            {
                "max_epochs": 3,
                "callbacks": lambda: [
                    theirs.ModelCheckpoint(".", "{step}", train_time_interval=timedelta(seconds=5), save_top_k=-1)
                ],
            },
            36,
            3,
        ),
        ({"max_epochs": 3, "val_check_interval": "00:00:00:07"}, 36, 5),
    ],
)
def test_timers_see_the_batch_at_which_they_are_due(tmp_path, settings, steps, validations):
    def make(calls):
        called = settings.get("callbacks", list)()
        return lit_cnn.LitMLP(num_classes=4, image_size=12), data(), settings | {"callbacks": called}

    left = both(tmp_path, make, seconds_are_steps)
    assert left.step == steps
    assert sum(bool(row.get("val/acc")) for row in left.rows) == validations
    assert left.alone > 0 or not steps


def test_a_checkpoint_by_the_training_loss_goes_by_the_last_one_that_was_logged(tmp_path):
    def make(calls):
        keep = theirs.ModelCheckpoint(
            ".", "{step}-{train/loss:.6f}", "train/loss", save_top_k=-1, every_n_train_steps=7,
            auto_insert_metric_name=False,
        )  # fmt: skip
        settings = {"max_epochs": 2, "log_every_n_steps": 5, "callbacks": [keep]}
        return lit_cnn.LitMLP(num_classes=4, image_size=12), data(), settings

    left = both(tmp_path, make)
    assert len(left.checkpoints) == 3


def test_another_version_of_lightning_runs_its_own_loops_and_says_so_once(tmp_path, monkeypatch):
    monkeypatch.setattr(lightning_internals, "__version__", "2.7.0")
    lightning_internals.is_tested.cache_clear()
    sentence = r"The fast loop was tested with lightning>=2\.6\.6,<2\.7, and this is 2\.7\.0: Lightning's own loops"
    with pytest.warns(UserWarning, match=sentence):
        other = fit(tmp_path / "one", True)
    again = fit(tmp_path / "again", True)  # a second warning would be an error
    assert not other[2]
    assert not any(isinstance(c, FewerCalls) for c in again[1].callbacks)
    monkeypatch.undo()
    lightning_internals.is_tested.cache_clear()
    few = fit(tmp_path / "few", True)
    assert few[2]
    assert all(torch.equal(a, b) for a, b in zip(other[0].parameters(), few[0].parameters(), strict=True))
    logs = [(tmp_path / name / "metrics.csv").read_text() for name in ("one", "few")]
    assert logs[0] == logs[1]
    assert "train/loss" in logs[0]


def test_the_package_asks_for_the_versions_that_were_tested():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert f"lightning{lightning_internals.TESTED}" in project["dependencies"]


SMALL = (
    *("fit", "--name", "small", "--model", "LitMLP", "--data", "SyntheticDataModule", "--data.image_size", "12"),
    *("--data.in_channels", "1", "--data.train_images", "300", "--data.batch_size", "8", "--trainer.max_epochs", "2"),
    *("--trainer.accelerator", "cpu"),
)


def test_the_command_line_turns_it_off_and_counts_it_as_no_change(lit_cnn, monkeypatch):
    counter = Counter(monkeypatch)
    steps = []
    for name in ("true", "false"):
        counter.alone = 0
        assert lit_cnn(*SMALL, "--fast_loop", name).code == 0
        steps.append(counter.alone)
    runs = [Path("logs/small/version_0"), Path("logs/small/version_1")]
    configs = [yaml.safe_load((run / "config.yaml").read_text()) for run in runs]
    assert [config["fast_loop"] for config in configs] == [True, False]
    assert decisive(configs[0]) == decisive(configs[1])
    weights = [torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"] for run in runs]
    assert all(torch.equal(weight, weights[1][name]) for name, weight in weights[0].items())
    assert steps[0] > steps[1] == 0
    last = runs[0] / "checkpoints/last.ckpt"
    more = lit_cnn(*SMALL, "--trainer.max_epochs", 3, "--fast_loop", "false", "--ckpt_path", last)
    assert more.code == 0, more.err


class LogsAGradient(L.Callback):
    """Logs the size of a gradient by a hook of torch's, which Lightning allows within its own loop."""

    def on_fit_start(self, trainer, pl_module):
        weight = next(pl_module.parameters())
        weight.register_hook(lambda gradient: pl_module.log("gradient", gradient.norm()))


class StopsByALogger(CSVLogger):
    """A logger that ends the run when the loss is small enough."""

    def log_metrics(self, metrics, step=None):
        super().log_metrics(metrics, step)
        if metrics.get("train/loss", 9) < 1.3:
            self.trainer.should_stop = True


class OwnLayer(torch.nn.Linear):
    def forward(self, x):
        return super().forward(x)


def listens_to_the_optimizer(calls):
    class Module(lit_cnn.LitMLP):
        def configure_optimizers(self):
            built = super().configure_optimizers()
            optimizer = built["optimizer"]
            optimizer.register_step_post_hook(lambda *_: calls.append(self.trainer.fit_loop.epoch_loop.batch_idx))
            return built

    return Module(num_classes=4, image_size=12), data(), {"max_epochs": 2}


def logs_a_gradient(calls):
    settings = {"max_epochs": 2, "log_every_n_steps": 1, "callbacks": [LogsAGradient()]}
    return lit_cnn.LitMLP(num_classes=4, image_size=12), data(), settings


def stops_by_a_logger(calls):
    class Module(lit_cnn.LitMLP):
        def on_fit_start(self):
            self.trainer.logger.trainer = self.trainer

    settings = {"max_epochs": 9, "log_every_n_steps": 1, "logger": StopsByALogger(".", name="", version="")}
    return Module(num_classes=4, image_size=12, lr=0.02), data(), settings


def has_a_layer_of_its_own(calls):
    net = torch.nn.Sequential(torch.nn.Flatten(), OwnLayer(144, 4))
    return LitClassifier(net, num_classes=4), data(), {"max_epochs": 2}


def has_a_factor_of_its_own(calls):
    class Module(lit_cnn.LitMLP):
        def configure_optimizers(self):
            optimizer = super().configure_optimizers()["optimizer"]
            schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    return Module(num_classes=4, image_size=12), data(), {"max_epochs": 2}


@pytest.mark.parametrize(
    "make",
    [listens_to_the_optimizer, logs_a_gradient, stops_by_a_logger, has_a_layer_of_its_own, has_a_factor_of_its_own],
)
def test_hooks_within_a_step_get_lightning_s_loop(tmp_path, make):
    left = both(tmp_path, make)
    assert not left.error
    assert left.alone == 0


def test_a_method_replaced_in_a_class_of_lightning_s_is_called_at_each_batch(tmp_path, monkeypatch):
    strategy = L.strategies.SingleDeviceStrategy
    step, calls = strategy.optimizer_step, []
    monkeypatch.setattr(strategy, "optimizer_step", lambda *args, **kwargs: (calls.append(1), step(*args, **kwargs))[1])
    _, trainer, alone = fit(tmp_path, True)
    assert alone == 0
    assert len(calls) == trainer.global_step

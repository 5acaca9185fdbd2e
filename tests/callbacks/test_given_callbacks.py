"""Callbacks that a config names: each works and gives a config that can be read again, or is refused at once."""

import gc
import inspect
from pathlib import Path

import lightning.pytorch as L
import lightning.pytorch.callbacks as theirs
import pytest
import torch
import yaml
from lightning.pytorch.callbacks import BackboneFinetuning, device_stats_monitor
from torch.optim.swa_utils import AveragedModel

from lit_cnn import EMA, LitVGG, SyntheticDataModule
from lit_cnn.cli.library_errors import as_ours, fault_in_run
from lit_cnn.cli.safe_yaml import read
from lit_cnn.errors import ConfigError

pytestmark = pytest.mark.slow

SMALL = (
    "--data", "SyntheticDataModule", "--data.train_images", "120", "--data.test_images", "30", "--data.image_size", "8",
    "--data.num_classes", "3", "--data.batch_size", "32", "--trainer.accelerator", "cpu", "--pictures.enabled", "false",
    "--name", "run",
)  # fmt: skip
NET = ("--model", "LitVGG", "--model.widths", '[4,"M",4]', "--model.lr", "0.01")
LENGTH = "--trainer.max_epochs"

WORK = {
    "BackboneFinetuning": {"unfreeze_backbone_at_epoch": 1},
    "EMA": {},
    "EMAWeightAveraging": {},
    "EarlyStopping": {"monitor": "val/acc", "mode": "max"},
    "GradientAccumulationScheduler": {"scheduling": {1: 2}},
    "LambdaCallback": {},
    "LearningRateMonitor": {},
    "Lookahead": {"every": 2},
    "ModelCheckpoint": {"monitor": "val/nll", "mode": "min", "filename": "by_nll"},
    "ModelPruning": {"pruning_fn": "l1_unstructured", "amount": 0.2},
    "ModelSummary": {},
    "StochasticWeightAveraging": {"swa_lrs": 0.01},
    "TQDMProgressBar": {},
    "Timer": {"duration": "12:00:00:00"},
    "WeightAveraging": {},
}
REFUSED = {
    "BaseFinetuning": "BaseFinetuning does nothing; it is only a base class",
    "BasePredictionWriter": "BasePredictionWriter does nothing; it is only",
    "BatchSizeFinder": "choose --data.batch_size with it.",
    "Callback": "",
    "Checkpoint": "Checkpoint does nothing; it is only",
    "LearningRateFinder": "LearningRateFinder would change the learning rate of the config",
    "OnExceptionCheckpoint": "would silently resume the next run from its file",
    "ProgressBar": "ProgressBar does nothing; it is only",
    "SpikeDetection": "SpikeDetection of this Lightning fails at the first checkpoint",
    "ThroughputMonitor": "batch_size_fn",
}
WITH_PACKAGES = {"DeviceStatsMonitor", "RichModelSummary", "RichProgressBar"}


def config(name, **init_args):
    Path("callback.yaml").write_text(
        yaml.safe_dump({"trainer": {"callbacks": [{"class_path": name, "init_args": init_args}]}})
    )
    return "--config", "callback.yaml"


def last(version):
    return torch.load(f"logs/run/version_{version}/checkpoints/last.ckpt", weights_only=True)


def test_every_callback_of_lightning_is_known():
    names = {name for name in theirs.__all__ if inspect.isclass(getattr(theirs, name))}
    assert names == (set(WORK) - {"EMA", "Lookahead"}) | set(REFUSED) | WITH_PACKAGES


@pytest.mark.parametrize("name", WORK)
def test_config_of_a_run_can_be_read_again_and_resumed(lit_cnn, name):
    argv = ("fit", *SMALL, *NET, *config(name, **WORK[name]))
    first = lit_cnn(*argv, LENGTH, 2)
    assert first.code == 0, first.err
    run = Path("logs/run/version_0")
    assert "Unable" not in (run / "config.yaml").read_text()
    (written,) = read(run / "config.yaml")["trainer"]["callbacks"]
    for key, value in WORK[name].items():
        assert str(written["init_args"][key]).replace("'", "") == str(value).replace("'", "")
    printed = lit_cnn("fit", "--config", run / "config.yaml", "--print_config")
    assert printed.code == 0, printed.err
    assert yaml.safe_load(printed.out) == read(run / "config.yaml")
    resumed = lit_cnn("fit", "--resume", run, LENGTH, 3)
    assert resumed.code == 0, resumed.err
    if name in ("Lookahead", "ModelPruning", "StochasticWeightAveraging"):  # what they do depends on the run's length
        return
    assert lit_cnn(*argv, LENGTH, 3).code == 0
    for key, weights in last(1)["state_dict"].items():
        assert torch.equal(last(0)["state_dict"][key], weights), key


@pytest.mark.parametrize("verb", ["fit", "check"])
@pytest.mark.parametrize("name", REFUSED)
def test_callbacks_that_cannot_work_are_refused_before_the_first_step(lit_cnn, name, verb):
    needed = {"dirpath": "exceptions"} if name == "OnExceptionCheckpoint" else {}
    refused = lit_cnn(verb, *SMALL, *NET, *config(name, **needed), LENGTH, 1)
    lines = [line for line in refused.err.splitlines() if not line.startswith("Seed set to")]
    assert refused.code == 2
    assert REFUSED[name] in refused.err
    assert 1 <= len(lines) <= 3
    assert not Path("logs/run/version_0").exists()


BESIDE = [
    (
        "GradientAccumulationScheduler",
        {"scheduling": {1: 2}},
        ("--trainer.accumulate_grad_batches", "2"),
        "and trainer.accumulate_grad_batches (2) do the same. Remove one.",
    ),
    ("Timer", {}, ("--trainer.strategy", "nonsense"), "invalid strategy name: `strategy='nonsense'`"),
]


@pytest.mark.parametrize(("name", "needed", "flags", "message"), BESIDE, ids=[case[0] for case in BESIDE])
def test_check_refuses_what_fit_refuses_in_the_same_words(lit_cnn, name, needed, flags, message):
    arguments = (*SMALL, *NET, *config(name, **needed), *flags, LENGTH, 1)
    outcomes = [lit_cnn(verb, *arguments) for verb in ("fit", "check")]
    assert [outcome.code for outcome in outcomes] == [2, 2]
    assert message in outcomes[0].err
    assert outcomes[0].err == outcomes[1].err
    assert not Path("logs/run/version_0").exists()


def test_two_callbacks_with_the_same_state_key_are_refused(lit_cnn):
    Path("two.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": 2 * [{"class_path": "ModelCheckpoint"}]}}))
    refused = lit_cnn("fit", *SMALL, *NET, "--config", "two.yaml", LENGTH, 1)
    assert refused.code == 2
    assert "a second ModelCheckpoint with the same settings" in refused.err
    assert "--checkpoint.*" in refused.err
    assert lit_cnn("fit", *SMALL, *NET, *config("ModelCheckpoint"), LENGTH, 1).code == 0


def test_a_given_progress_bar_replaces_ours(lit_cnn):
    outcome = lit_cnn("fit", *SMALL, *NET, *config("TQDMProgressBar", refresh_rate=0), LENGTH, 1)
    assert outcome.code == 0, outcome.err
    assert "epoch 1/1" not in outcome.out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((*NET, "--model.frozen_epochs", "1"), "model.frozen_epochs and BackboneFinetuning do the same"),
        ((*NET, "--model.freeze_body", "true"), "model.freeze_body freezes the layers that BackboneFinetuning trains"),
        (
            (*NET, "--model.scheduler", "OneCycleLR"),
            "OneCycleLR does not schedule the parameters that BackboneFinetuning",
        ),
    ],
)
def test_finetuning_that_cannot_work_is_refused(lit_cnn, argv, message):
    refused = lit_cnn("fit", *SMALL, *argv, *config("BackboneFinetuning"), LENGTH, 1)
    assert refused.code == 2
    assert message in refused.err


def test_finetuning_trains_the_head_alone_and_then_the_body():
    class Note(L.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            groups.append([group["lr"] for group in trainer.optimizers[0].param_groups])
            weights.append({name: weight.clone() for name, weight in pl_module.named_parameters()})

    groups, weights = [], []
    module = LitVGG(widths=[4, "M", 4], num_classes=3, image_size=8, lr=0.01)
    before = {name: weight.clone() for name, weight in module.named_parameters()}
    trainer = L.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[BackboneFinetuning(1, train_bn=False), Note()],
    )  # fmt: skip
    trainer.fit(module, SyntheticDataModule(num_classes=3, image_size=8, train_images=100, batch_size=32))
    assert [len(rates) for rates in groups] == [1, 2]
    assert groups[1] == pytest.approx([0.01, 0.001])
    convolutions = [name for name, weight in before.items() if weight.dim() == 4]
    assert convolutions
    for name in [*convolutions, "net.classifier.weight"]:  # batch norms are trained all along
        assert torch.equal(weights[0][name], before[name]) == (name in convolutions), name
    assert not any(torch.equal(weights[1][name], before[name]) for name in convolutions)


def test_average_is_that_of_a_loop_and_right_after_few_steps():
    net, weights = torch.nn.BatchNorm1d(3), []
    averaged = AveragedModel(net, multi_avg_fn=EMA(decay=0.3)._average, use_buffers=True)
    for step in range(6):
        torch.nn.init.normal_(net.weight)
        net(torch.randn(4, 3))
        weights.append(net.weight.detach().clone())
        averaged.update_parameters(net)
        average = weights[0]
        for n, weight in enumerate(weights[1:], start=1):
            decay = min(0.3, (1 + n) / (10 + n))
            average = decay * average + (1 - decay) * weight
        torch.testing.assert_close(averaged.module.weight, average)
        assert averaged.module.num_batches_tracked == step + 1
    with pytest.raises(ValueError, match="`decay` of EMA has to be from 0 to below 1, but got 1"):
        EMA(decay=1.0)


def test_an_average_of_mostly_the_first_weights_is_warned_about(lit_cnn):
    argv = ("fit", *SMALL, *NET, LENGTH, 2)
    long = lit_cnn(*argv, *config("EMAWeightAveraging", decay=0.999))
    assert "EMAWeightAveraging: with decay 0.999 over 8 updates, 99% of the average are the initial weights" in long.out
    for name, decay in (("EMAWeightAveraging", 0.5), ("EMA", 0.999)):
        assert "of the average" not in lit_cnn(*argv, *config(name, decay=decay)).out


def test_a_missing_package_is_named_with_what_needs_it(lit_cnn, monkeypatch):
    needed = Absent("Requirement 'psutil>=99' not met. HINT: Try running `pip install -U 'psutil>=99'`")
    monkeypatch.setattr(device_stats_monitor, "_PSUTIL_AVAILABLE", needed)
    refused = lit_cnn("fit", *SMALL, *NET, *config("DeviceStatsMonitor"), LENGTH, 1)
    assert refused.code == 2
    assert "DeviceStatsMonitor needs the package psutil, which is not installed.\nInstall it with pip" in refused.err
    assert not Path("logs/run/version_0").exists()


@pytest.mark.parametrize(
    ("flag", "name", "package"),
    [
        ("--trainer.logger", "MLFlowLogger", "mlflow"),
        ("--trainer.logger", "WandbLogger", "wandb"),
        ("--trainer.logger", "CometLogger", "comet-ml"),
        ("--trainer.profiler", "XLAProfiler", "torch_xla"),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of a profiler made by half
def test_parts_whose_package_is_missing_say_which(lit_cnn, monkeypatch, flag, name, package):
    module = {"M": "loggers.mlflow", "W": "loggers.wandb", "C": "loggers.comet", "X": "profilers.xla"}[name[0]]
    flag_of = {"M": "_MLFLOW_AVAILABLE", "W": "_WANDB_AVAILABLE", "C": "_COMET_AVAILABLE", "X": "_XLA_AVAILABLE"}
    needed = f"Requirement '{package}>=99' not met. HINT: Try running `pip install -U '{package}>=99'`"
    monkeypatch.setattr(f"lightning.pytorch.{module}.{flag_of[name[0]]}", Absent(needed))
    refused = lit_cnn("fit", *SMALL, *NET, flag, name, LENGTH, 1)
    assert refused.code == 2
    assert f"{name} needs the package {package}, which is not installed." in refused.err.replace("comet_ml", "comet-ml")
    assert "Install it with pip install" in refused.err
    gc.collect()


class Absent(str):
    def __bool__(self):
        return False


def test_errors_that_name_no_package_are_left_alone():
    assert str(as_ours(ValueError("no"), [])) == "no"
    assert "needs the package torch_xla" in str(as_ours(ModuleNotFoundError("No module", name="torch_xla"), []))


@pytest.mark.parametrize(
    ("module", "early", "refused"),
    [("lightning.pytorch.x", True, True), ("lightning.pytorch.x", False, False), ("torch.x", True, False)],
)
def test_runtime_errors_of_lightning_before_the_first_step_are_settings_that_it_refuses(module, early, refused):
    error = None
    try:
        exec("raise RuntimeError('no such thing')", {"__name__": module})
    except RuntimeError as raised:
        error = raised.with_traceback(raised.__traceback__.tb_next)  # without this test's own line
    told = fault_in_run(error, [], early)
    assert (str(told), isinstance(told, ConfigError), told is error) == ("no such thing", refused, not refused)


def test_an_object_that_a_config_cannot_hold_is_refused(lit_cnn, monkeypatch, tmp_path):
    (tmp_path / "theirs_here.py").write_text(
        "from lightning.pytorch import Callback\n"
        "class Mine(Callback):\n"
        "    def __init__(self, thing: object = object()):\n"
        "        pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LIT_CNN_ALLOW", "theirs_here")
    refused = lit_cnn("fit", *SMALL, *NET, *config("theirs_here.Mine"), LENGTH, 1)
    assert refused.code == 2, refused.err
    assert "cannot be written to config.yaml" in refused.err
    assert not Path("logs/run/version_0").exists()


def test_vgg_without_its_head_is_its_body():
    module = LitVGG(widths=[4, "M", 4], num_classes=3, image_size=8)
    body = {id(parameter) for parameter in module.backbone.parameters()}
    heads = {name for name, parameter in module.net.named_parameters() if id(parameter) not in body}
    assert {name.split(".")[0] for name in heads} == {"classifier"}
    assert "backbone" not in dict(module.named_children())

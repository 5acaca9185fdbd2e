"""Random combinations of callbacks, modules and Trainer settings: the fast loop leaves what Lightning's loop leaves.

LIT_CNN_LOOP_SEEDS=5,71 repeats the combinations of these seeds; LIT_CNN_LOOP_RUNS=300 draws so many.
"""

import os
import random
from datetime import timedelta
from itertools import count

import lightning.pytorch as L
import pytest
import torch
from lightning.pytorch import callbacks as theirs
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from loops import QUIET, both, data
from torch import nn
from torch.nn.utils import clip_grad_norm_

import lit_cnn
from lit_cnn.callbacks.progress import Progress
from lit_cnn.callbacks.stop_on_signal import StopOnSignal

RUNS = int(os.environ.get("LIT_CNN_LOOP_RUNS", "40"))
GIVEN = os.environ.get("LIT_CNN_LOOP_SEEDS")
SEEDS = [int(s) for s in GIVEN.split(",")] if GIVEN else [int.from_bytes(os.urandom(4)) for _ in range(RUNS)]

BY_ITSELF: list[bool] = []  # for each combination that ran: whether the fast loop took steps

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning"),  # of Lightning, on some of the combinations
    pytest.mark.filterwarnings("ignore:.*lr_scheduler.step.*"),
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]
BATCH_HOOKS = (
    *("on_train_batch_start", "on_train_batch_end", "on_before_zero_grad", "on_before_backward", "on_after_backward"),
    *("on_before_optimizer_step", "on_validation_batch_start", "on_validation_batch_end"),
)
EPOCH_HOOKS = ("on_train_epoch_start", "on_train_epoch_end", "on_validation_start", "on_validation_epoch_end")


class Notes:
    """Notes that it was called, and where the training was."""

    def __init__(self, calls, name):
        self.calls, self.name = calls, name

    def __call__(self, trainer, *_):
        loop = trainer.fit_loop.epoch_loop
        self.calls.append((self.name, trainer.current_epoch, trainer.global_step, loop.batch_progress.current.ready))


def subclass(base, hook, calls):
    """Returns a class with a hook of its own, which calls the base's too."""

    def noted(self, trainer, *args, **kwargs):
        Notes(calls, f"{base.__name__}.{hook}")(trainer)
        return getattr(base, hook)(self, trainer, *args, **kwargs)

    return type(f"Mine{base.__name__}", (base,), {hook: noted})


class Changes(L.Callback):
    """Changes the Trainer at the end of a validation, by a function."""

    def __init__(self, change):
        self.change = change

    def on_validation_end(self, trainer, pl_module):
        if not trainer.sanity_checking:
            self.change(trainer)


class Thaws(theirs.BaseFinetuning):
    def freeze_before_training(self, pl_module):
        self.freeze(next(m for m in pl_module.net.children() if list(m.parameters())))

    def finetune_function(self, pl_module, epoch, optimizer):
        if epoch == 1:
            layer = next(m for m in pl_module.net.children() if list(m.parameters()))
            self.unfreeze_and_add_param_group(layer, optimizer, lr=0.01)


def callback(draw, calls, harmless):
    """Returns the name of a callback, and it; a harmless one needs no call at each batch, at least in the beginning."""
    hook, later = draw.choice(BATCH_HOOKS), draw.choice(EPOCH_HOOKS)
    metric = draw.choice(["train/loss", "val/nll", "val/acc"])
    patience = {"patience": 0, "min_delta": 0.2, "strict": False}
    stopping = {"monitor": draw.choice(["val/nll", "train/nll"]), **patience}
    every = {"every_n_train_steps": draw.randint(1, 9), "save_top_k": draw.choice([-1, 1, 2])}
    every |= {"monitor": metric} if draw.random() < 0.6 else {"save_top_k": -1}
    name = draw.choice(HARMLESS if harmless else [*CALLBACKS])
    return name, CALLBACKS[name](draw, calls, hook, later, stopping, every)


def _set_hook(trainer, calls):
    trainer.callbacks[0].on_train_batch_end = Notes(calls, "set later")


CALLBACKS = {
    "accumulation": lambda d, *_: theirs.GradientAccumulationScheduler({d.randint(0, 1): 2, 2: d.choice([1, 4])}),
    "swa": lambda d, *_: theirs.StochasticWeightAveraging(0.01, swa_epoch_start=d.choice([1, 2]), annealing_epochs=1),
    "ema": lambda *_: theirs.EMAWeightAveraging(decay=0.9),
    "hook on an instance": lambda d, calls, hook, *_: theirs.LambdaCallback(**{hook: Notes(calls, hook)}),
    "hook of epochs": lambda d, calls, hook, later, *_: theirs.LambdaCallback(**{later: Notes(calls, later)}),
    "early stopping": lambda d, calls, hook, later, stopping, every: theirs.EarlyStopping(**stopping),
    "my early stopping": lambda d, calls, hook, later, stopping, every: subclass(theirs.EarlyStopping, hook, calls)(
        **stopping
    ),
    "rates": lambda d, *_: theirs.LearningRateMonitor(d.choice([None, "step", "epoch"])),
    "checkpoint": lambda d, calls, hook, later, stopping, every: theirs.ModelCheckpoint(
        ".", "{epoch}-{step}-{train/loss:.5f}", auto_insert_metric_name=False, **every
    ),
    "my checkpoint": lambda d, calls, hook, later, stopping, every: subclass(theirs.ModelCheckpoint, hook, calls)(
        ".", "mine-{step}", **every
    ),
    "timer": lambda d, *_: theirs.Timer(timedelta(hours=1), interval=d.choice(["step", "epoch"])),
    "my timer": lambda d, calls, hook, *_: subclass(theirs.Timer, hook, calls)(timedelta(hours=1)),
    "progress": lambda *_: Progress(),
    "my progress": lambda d, calls, hook, *_: subclass(Progress, hook, calls)(),
    "stock bar": lambda *_: theirs.TQDMProgressBar(),
    "thaws": lambda *_: Thaws(),
    "pruning": lambda *_: theirs.ModelPruning("l1_unstructured", amount=0.2),
    "signals": lambda *_: StopOnSignal("last.ckpt"),
    "accumulates later": lambda *_: Changes(lambda trainer: setattr(trainer, "accumulate_grad_batches", 2)),
    "clips later": lambda *_: Changes(lambda trainer: setattr(trainer, "gradient_clip_val", 0.1)),
    "stops itself": lambda *_: Changes(lambda trainer: setattr(trainer, "should_stop", True)),
    "hook set later": lambda d, calls, *_: Changes(lambda trainer: _set_hook(trainer, calls)),
    "another later": lambda d, calls, hook, *_: Changes(
        lambda trainer: trainer.callbacks.append(theirs.LambdaCallback(**{hook: Notes(calls, f"later {hook}")}))
    ),
}


HARMLESS = [
    *("hook of epochs", "early stopping", "rates", "checkpoint", "timer", "progress", "stock bar", "thaws", "signals"),
    *("accumulates later", "clips later", "stops itself", "hook set later", "another later"),
]


def _noting(hook):
    def make(base, calls):
        def noted(self, *args, **kwargs):
            Notes(calls, hook)(self.trainer)
            return getattr(base, hook)(self, *args, **kwargs)

        return type("Mine", (base,), {hook: noted})

    return make


def _clipping(base, calls):
    class Mine(base):
        def configure_gradient_clipping(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None):
            clip_grad_norm_(self.parameters(), 0.05)

    return Mine


def _logging(base, calls):
    class Mine(base):
        def loss_of(self, images, labels):
            logits, loss = super().loss_of(images, labels)
            self.log("mine", loss.detach() * 2, on_step=True, on_epoch=True)
            return logits, loss

    return Mine


def _hook_of_torch(base, calls):
    class Mine(base):
        def on_fit_start(self):
            self.net.register_forward_hook(lambda *_: self.log("seen", 1.0) if self.training else None)

    return Mine


def _on_instance(base, calls):
    class Mine(base):
        def on_fit_start(self):
            before = self.on_before_optimizer_step
            self.on_before_optimizer_step = lambda *args: (Notes(calls, "mine")(self.trainer), before(*args))

    return Mine


def _skipping(base, calls):
    class Mine(base):
        def on_train_batch_start(self, batch, batch_idx):
            return -1 if batch_idx == 9 else None

    return Mine


def _own_optimizer(base, calls):
    class Halves(torch.optim.SGD):
        def zero_grad(self, set_to_none=True):
            for group in self.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        parameter.grad.mul_(0.5)

    class Mine(base):
        def configure_optimizers(self):
            return Halves(self.parameters(), lr=0.01)

    return Mine


MODULES = {
    "plain": lambda base, calls: base,
    "only named": lambda base, calls: type("Mine", (base,), {}),
    **{hook: _noting(hook) for hook in ("training_step", "validation_step", "on_train_batch_end", "forward")},
    **{hook: _noting(hook) for hook in ("optimizer_step", "lr_scheduler_step", "backward", "on_validation_batch_end")},
    "clips": _clipping,
    "logs": _logging,
    "hook of torch": _hook_of_torch,
    "hook on the instance": _on_instance,
    "skips": _skipping,
    "own optimizer": _own_optimizer,
}


class OfSomebody(lit_cnn.LitClassifier):
    def __init__(self, **kwargs):
        net = nn.Sequential(nn.Flatten(), nn.Linear(144, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 4))
        super().__init__(net, **kwargs)


NETWORKS = {
    "mlp": (lit_cnn.LitMLP, {"image_size": 12}),
    "batch norm": (lit_cnn.LitVGG, {"image_size": 12, "in_channels": 1, "widths": [4, "M", 4]}),
    "dropout": (OfSomebody, {}),
}
OPTIMIZERS = [
    {},
    {"optimizer": "SGD", "optimizer_args": {"momentum": 0.9}},
    {"optimizer": "AdamW", "optimizer_args": {"fused": False}},
    {"optimizer": "LBFGS", "optimizer_args": {"max_iter": 2}},
]
SCHEDULES = [
    {},
    {"scheduler": "OneCycleLR", "scheduler_interval": "step"},
    {"scheduler": "StepLR", "scheduler_args": {"step_size": 5}, "scheduler_interval": "step"},
    {"scheduler": "CosineAnnealingLR"},
    {"scheduler": "ReduceLROnPlateau", "scheduler_args": {"patience": 0}},
]
SETTINGS = {
    "accumulate_grad_batches": [2, 3],
    "gradient_clip_val": [0.1],
    "gradient_clip_algorithm": ["value", "norm"],
    "max_steps": [5, 23],
    "min_steps": [29],
    "max_epochs": [1, 2, 3],
    "min_epochs": [2],
    "limit_train_batches": [1, 7, 0.5],
    "limit_val_batches": [0, 1, 0.5],
    "val_check_interval": [1, 3, 0.3],
    "check_val_every_n_epoch": [2, None],
    "num_sanity_val_steps": [0],
    "log_every_n_steps": [0, 1, 3, 7],
    "overfit_batches": [3],
    "precision": ["bf16-mixed", "bf16-true", "64-true"],
    "reload_dataloaders_every_n_epochs": [1],
    "detect_anomaly": [True],
    "inference_mode": [False],
    "barebones": [False],
}


STEPS_ASIDE = ("accumulate_grad_batches", "gradient_clip_val", "precision", "detect_anomaly")


def combination(draw):
    """Draws names and numbers, and returns a function that builds what they stand for, as often as it is called.

    Of two, one has nothing that makes the fast loop step aside from the beginning, so that its own steps are compared.
    """
    harmless = draw.random() < 0.5
    network = draw.choice([*NETWORKS])
    module = draw.choice(["plain", "only named"] if harmless else [*MODULES])
    arguments = draw.choice(OPTIMIZERS[:3] * 3 + OPTIMIZERS[3:]) | draw.choice(SCHEDULES)
    if arguments.get("scheduler") == "OneCycleLR" and arguments.get("optimizer") == "LBFGS":  # which has no momentum
        arguments["scheduler_args"] = {"cycle_momentum": False}
    possible = [name for name in SETTINGS if not (harmless and name in STEPS_ASIDE)]
    names = draw.sample(possible, k=draw.choice([0, 1, 2, 2, 3, 4]))
    settings = {"max_epochs": 3, "log_every_n_steps": 5} | {name: draw.choice(SETTINGS[name]) for name in names}
    seeds = [draw.random() for _ in range(draw.choice([0, 1, 1, 2, 3]))]
    found = [callback(random.Random(seed), [], harmless)[0] for seed in seeds]
    print(network, module, arguments, settings, found, sep="\n")

    def make(calls):
        kind, sizes = NETWORKS[network]
        module_ = MODULES[module](kind, calls)(num_classes=4, lr=0.02, **sizes, **arguments)
        called = [callback(random.Random(seed), calls, harmless)[1] for seed in seeds]
        bar = {"enable_progress_bar": True} if any(isinstance(c, theirs.ProgressBar) for c in called) else {}
        return module_, data(), settings | bar | {"callbacks": called}

    return make


def is_taken(make):
    """Says whether the Trainer takes a combination; two progress bars, for example, it refuses."""
    try:
        L.Trainer(**QUIET | make([])[2], logger=False)
    except (MisconfigurationException, RuntimeError):
        return False
    return True


@pytest.mark.parametrize("seed", [pytest.param(seed, id=f"draw{i}") for i, seed in enumerate(SEEDS)])
def test_nothing_depends_on_the_fast_loop_or_the_clock(tmp_path, seed):
    print(f"to repeat it: LIT_CNN_LOOP_SEEDS={seed}")
    draw = random.Random(seed)
    make = combination(draw)
    while not is_taken(make):
        make = combination(draw)
    left = both(tmp_path, make)
    print(f"{left.alone} of {left.step} steps alone, {left.error or 'no error'}")
    BY_ITSELF.append(left.alone > 0)


def test_the_fast_loop_took_part():
    if len(BY_ITSELF) < RUNS // 2:
        pytest.skip("most combinations ran in another process")
    print(f"the fast loop took steps in {sum(BY_ITSELF)} of {len(BY_ITSELF)} combinations")
    assert sum(BY_ITSELF) * 10 >= len(BY_ITSELF)  # half of them are made for it; with one in ten, nothing is compared


# How each callback of Lightning's is made, for a training of three epochs of twelve batches.
LIGHTNINGS = {
    "BackboneFinetuning": lambda calls: theirs.BackboneFinetuning(unfreeze_backbone_at_epoch=1),
    "BaseFinetuning": lambda calls: Thaws(),
    "BasePredictionWriter": lambda calls: theirs.BasePredictionWriter("batch"),
    "BatchSizeFinder": lambda calls: theirs.BatchSizeFinder(steps_per_trial=1, init_val=4, max_trials=1),
    "Callback": lambda calls: L.Callback(),
    "Checkpoint": lambda calls: theirs.Checkpoint(),
    "DeviceStatsMonitor": lambda calls: theirs.DeviceStatsMonitor(cpu_stats=False),
    "EarlyStopping": lambda calls: theirs.EarlyStopping("val/nll", min_delta=0.5, patience=1),
    "EMAWeightAveraging": lambda calls: theirs.EMAWeightAveraging(decay=0.9),
    "GradientAccumulationScheduler": lambda calls: theirs.GradientAccumulationScheduler({1: 5}),
    "LambdaCallback": lambda calls: theirs.LambdaCallback(on_before_zero_grad=Notes(calls, "zero_grad")),
    "LearningRateFinder": lambda calls: theirs.LearningRateFinder(num_training_steps=5, early_stop_threshold=None),
    "LearningRateMonitor": lambda calls: theirs.LearningRateMonitor(),
    "ModelCheckpoint": lambda calls: theirs.ModelCheckpoint(".", "{step}", save_top_k=-1, every_n_train_steps=7),
    "ModelPruning": lambda calls: theirs.ModelPruning("l1_unstructured", amount=0.3),
    "ModelSummary": lambda calls: theirs.ModelSummary(),
    "OnExceptionCheckpoint": lambda calls: theirs.OnExceptionCheckpoint("."),
    "ProgressBar": lambda calls: theirs.ProgressBar(),
    "RichModelSummary": lambda calls: theirs.RichModelSummary(),
    "RichProgressBar": lambda calls: theirs.RichProgressBar(),
    "SpikeDetection": lambda calls: theirs.SpikeDetection(warmup=1, atol=0.01, rtol=1.01),
    "StochasticWeightAveraging": lambda calls: theirs.StochasticWeightAveraging(0.01, swa_epoch_start=1),
    "ThroughputMonitor": lambda calls: theirs.ThroughputMonitor(batch_size_fn=lambda batch: len(batch[0])),
    "TQDMProgressBar": lambda calls: theirs.TQDMProgressBar(),
    "Timer": lambda calls: theirs.Timer(timedelta(seconds=29)),
    "WeightAveraging": lambda calls: theirs.WeightAveraging(),
}
# Those that have to see each batch.
EACH_BATCH = {"EMAWeightAveraging", "LambdaCallback", "SpikeDetection", "ThroughputMonitor", "WeightAveraging"}


def a_second_for_each_step(taken):
    ticks = count()
    return lambda: taken.batches + 1e-6 * next(ticks)


def test_all_callbacks_of_lightning_are_known():
    assert sorted(LIGHTNINGS) == sorted(theirs.__all__)


@pytest.mark.parametrize("name", LIGHTNINGS)
def test_every_callback_of_lightning_leaves_the_same(tmp_path, name):
    if name.startswith("Rich"):
        pytest.importorskip("rich", reason="Lightning's Rich callbacks need rich: pip install rich")

    def make(calls):
        called = [LIGHTNINGS[name](calls)]
        bar = {"enable_progress_bar": True} if isinstance(called[0], theirs.ProgressBar) else {}
        settings = {"max_epochs": 3, "log_every_n_steps": 5, "callbacks": called} | bar
        sizes = {"in_channels": 1, "image_size": 12, "widths": [4, "M", 4]}
        return lit_cnn.LitVGG(num_classes=4, lr=0.02, **sizes), data(), settings

    left = both(tmp_path, make, a_second_for_each_step)
    print(f"{left.alone} of {left.step} steps alone, {left.error or 'no error'}")
    assert not left.error
    assert (left.alone == 0) == (name in EACH_BATCH)

"""Finds the fastest settings on this machine: times a few steps with each, alternating with plain float32."""

import copy
import time
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Timer

from lit_cnn.checks import slow
from lit_cnn.checks.begun_fit import begin_fit
from lit_cnn.checks.text_table import text_table
from lit_cnn.checks.trial import Steps, first_line
from lit_cnn.cores import cores
from lit_cnn.data.module import ImageDataModule
from lit_cnn.training import hardware
from lit_cnn.training.classifier import LitClassifier

Settings = dict[str, Any]  # by the dotted keys of a config

# The settings that are chosen, and plain float32; the number of threads is torch's own.
PRECISION, COMPILE, RESIDENT = "trainer.precision", "model.init_args.compile", "data.init_args.resident"
PLAIN: Settings = {
    **{"threads": None, "channels_last": None, "matmul_precision": "highest", PRECISION: None},
    **{"trainer.benchmark": None, COMPILE: None, RESIDENT: False},
}
BUILT = ("channels_last", PRECISION, COMPILE, RESIDENT)  # settings that need a new Trainer, network or loader

# Modes of torch.compile, and how many seconds a training must take before a mode is tried: compiling takes about a
# minute, and max-autotune many minutes.
COMPILES = {"default": 600, "reduce-overhead": 600, "max-autotune": 7200}

MARGIN = 1.03  # how many times faster other settings have to be than the best so far, in two measurements
SLICE = 0.04  # seconds of steps that are timed at once
PAIRS, SECONDS = 5, 3.0  # slices of each setting; after these seconds there are fewer
SCALED = 5e-4  # extra seconds of a step with a gradient scaler (16-mixed), which needs Lightning's own loop
HOPELESS = 0.7  # settings below this share of the best speed are not measured further


class Slices:
    """Timed training steps of a begun `fit`, as the run takes them."""

    def __init__(self, trainer: Trainer, module: LitClassifier, settings: Settings):
        self.trainer, self.settings = trainer, settings
        self.steps, self._batches = Steps(trainer, module), _endless(trainer.train_dataloader)
        self._more = SCALED if getattr(trainer.precision_plugin, "scaler", None) else 0.0

    def seconds(self, steps: int) -> float:
        """Takes so many steps, and returns the seconds of each."""
        torch.set_num_threads(self.settings["threads"])
        hardware.set_matmul_precision(self.settings["matmul_precision"])
        torch.backends.cudnn.benchmark = bool(self.settings["trainer.benchmark"])
        start = time.perf_counter()
        for _ in range(steps):
            _, loss = self.steps.take(next(self._batches))
        loss.item()  # waits for a GPU
        return (time.perf_counter() - start) / steps + self._more


class Tuning:
    """Finds the fastest settings of a run: plain float32, unless other settings are faster in two measurements.

    Each is timed alternately with plain float32, since a machine's speed changes. Settings that fail are listed.

    Args:
        module: The run's network, which is not changed.
        data: Its data module.
        trainer: The arguments of its Trainer.
        fixed: Settings that are not to be chosen.
    """

    def __init__(
        self, module: LitClassifier, data: ImageDataModule, trainer: Mapping[str, Any], fixed: Mapping[str, Any]
    ):
        self._module, self._data, self._trainer, self._fixed = module, data, trainer, fixed
        self.plain = self.best = PLAIN | {"threads": torch.get_num_threads()} | dict(fixed)
        self._ratio = 1.0  # of the best
        self._rows: list[tuple[str, ...]] = []
        self._left_out: list[str] = []

    def fastest(self) -> Settings:
        """Returns the fastest settings."""
        start = time.perf_counter()
        self._data.prepare_data()
        self._data.setup("fit")
        self._begin(self.plain, self._compare)
        torch.compiler.reset()
        self._seconds = time.perf_counter() - start
        return self.best

    def table(self) -> str:
        """Returns the measurements as text."""
        head = (f"speed, {self._data.batch_size} images a step", "a step", "images/s", "against the first")
        free = self.best.keys() - self._fixed
        taken = {
            key: self.best[key] for key in PLAIN if key in free and (key == "threads" or self.best[key] != PLAIN[key])
        }
        lines = [text_table([head, *self._rows], right=(1, 2, 3)), *self._left_out]
        return "\n".join([*lines, f"taken, after {self._seconds:.1f} s: {_written(taken, '--') or 'the first'}"])

    def _begin(self, settings: Settings, look: Any) -> None:
        module, data = copy.deepcopy(self._module), copy.copy(self._data)
        module.hparams["compile"] = settings[COMPILE]
        if settings["channels_last"] is not None:
            module.channels_last = settings["channels_last"]
        data._arrays, data.resident = dict(data._arrays), settings[RESIDENT]
        given = {**self._trainer, "precision": settings[PRECISION], "benchmark": settings["trainer.benchmark"]}
        begin_fit(module, data, given, look)

    def _compare(self, trainer: Trainer, module: Any) -> None:
        self._reference = Slices(trainer, module, self.plain)
        self._reference.seconds(1)  # the first is slower
        step = self._reference.seconds(1)
        self._steps = min(500, max(1, round(SLICE / step)))
        if self._steps > 1:
            step = self._reference.seconds(self._steps)
        self._step = step
        self._note(f"{self.plain[PRECISION] or 'float32'}, threads {self.plain['threads']}", step, 1.0)
        self._length = _seconds_of(trainer, step)
        for changes in self._stages(module):
            for change in changes:
                if self._fixed.keys().isdisjoint(change) and not self._try(self.best | change, change):
                    break

    def _stages(self, module: LitClassifier) -> Iterator[list[Settings]]:
        """Yields settings to try on top of the best so far; a list ends at what is much slower."""
        device = module.device
        if device.type == "cpu":
            own = self.plain["threads"]
            numbers = sorted({2**i for i in range(10) if 2**i <= cores()} | {cores()})
            yield [{"threads": n} for n in reversed(numbers) if n < own]
            yield [{"threads": n} for n in numbers if n > own]
        if device.type == "cuda":
            yield [{RESIDENT: True}]
            yield [{"matmul_precision": "high"}]
        if slow.is_emulated(device):
            self._left_out.append(f"bf16-mixed was not tried: this {device.type.upper()} has no bfloat16")
        else:
            yield [{PRECISION: "bf16-mixed"}]
        if device.type != "cpu":
            yield [{PRECISION: "16-mixed"}]
        if device.type == "cuda" and not self._trainer.get("deterministic"):
            yield [{"trainer.benchmark": True}]
        if not module.channels_last:
            yield [{"channels_last": True}]
        length = self._length / self._ratio
        modes = [mode for mode in COMPILES if device.type == "cuda" or mode == "default"]
        tried = [mode for mode in modes if length > COMPILES[mode]]
        if not tried:
            self._left_out.append(f"compile was not tried: it takes a minute, and the training {length:,.0f} s")
        for mode in tried:
            yield [{COMPILE: mode}]

    def _try(self, settings: Settings, change: Settings) -> bool:
        """Times settings, and keeps them if they are faster than the best; returns whether they are not much slower."""
        name = _written(change)
        found = [1.0]

        def look(trainer: Trainer, module: Any) -> None:
            slices = Slices(trainer, module, settings)
            first = slices.seconds(1)  # with the time to compile
            found[0] = self._in_turn(slices)
            if found[0] > self._ratio * MARGIN:
                found[0] = min(found[0], self._in_turn(slices))
            self._note(name, self._step / found[0], found[0])
            saved = self._length * (1 / self._ratio - 1 / found[0])
            if found[0] > self._ratio * MARGIN and (settings[COMPILE] == self.best[COMPILE] or saved > first):
                self.best, self._ratio = settings, found[0]

        try:
            if all(settings[key] == self.plain[key] for key in BUILT):
                look(self._reference.trainer, self._reference.steps.module)
            else:
                self._begin(settings, look)
        except Exception as error:  # too little memory, no compiler, an optimizer that does not work with fp16
            self._left_out.append(f"{name} failed: {first_line(error)}")
        return found[0] > self._ratio * HOPELESS

    def _in_turn(self, slices: Slices) -> float:
        """Returns how many times faster steps are than those in plain float32, a median."""
        ratios, stop = list[float](), time.perf_counter() + SECONDS
        while len(ratios) < 2 or (len(ratios) < PAIRS and time.perf_counter() < stop):
            ours = slices.seconds(self._steps)
            ratios.append(self._reference.seconds(self._steps) / ours)
            if len(ratios) == 2 and max(ratios) < HOPELESS:
                break
        return median(ratios)

    def _note(self, name: str, step: float, ratio: float) -> None:
        """Adds a row; its time of a step follows from the ratio, since the machine's speed changes between the rows."""
        rate = self._data.batch_size / step
        self._rows.append((name, f"{1000 * step:,.3g} ms", f"{rate:,.0f}", f"{ratio:.2f}"))


def _written(settings: Settings, mark: str = "") -> str:
    """Returns settings as they are given on the command line."""
    plain = {key: str(value).lower() if isinstance(value, bool) else value for key, value in settings.items()}
    return " ".join(f"{mark}{key.replace('.init_args', '')} {value}" for key, value in plain.items())


def _seconds_of(trainer: Trainer, step: float) -> float:
    """Returns the seconds of training, computed from the seconds of a step."""
    timers = [callback for callback in trainer.callbacks if isinstance(callback, Timer)]  # type: ignore[attr-defined]
    limits = [left for timer in timers if (left := timer.time_remaining()) is not None]  # of `max_time`
    batches = trainer.estimated_stepping_batches * trainer.accumulate_grad_batches
    return min([batches * step, *limits])


def _endless(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader

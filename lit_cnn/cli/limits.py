"""Allowed ranges of numbers that Lightning does not check, such as `accumulate_grad_batches` from 1 up."""

import math
import re
from contextlib import suppress
from datetime import timedelta
from string import Formatter
from typing import Any

from lit_cnn.cli import safe_yaml

HUGE = 2**31 - 1
LARGEST = 2**63  # of tensors' integers

AT_LEAST = {
    1: "checkpoint_every trainer.accumulate_grad_batches trainer.check_val_every_n_epoch trainer.num_nodes",
    0: "trainer.limit_train_batches trainer.limit_val_batches trainer.limit_test_batches trainer.limit_predict_batches "
    "trainer.overfit_batches trainer.min_epochs trainer.min_steps trainer.gradient_clip_val trainer.log_every_n_steps "
    "trainer.reload_dataloaders_every_n_epochs checkpoint.every_n_train_steps checkpoint.every_n_epochs",
    -1: "trainer.max_epochs trainer.max_steps trainer.num_sanity_val_steps trainer.devices checkpoint.save_top_k",
}

# Smallest and largest value of each; a value in brackets is excluded.
LIMITS: dict[str, tuple[float | list[float], float]] = {
    "seed_everything": (0, 2**32 - 1),
    "threads": (1, 1024),
    "trainer.val_check_interval": ([0], HUGE),
    **{key: (least, HUGE) for least, keys in AT_LEAST.items() for key in keys.split()},
}

# Allowed texts of settings that the Trainer checks late: as patterns, and in words.
TEXTS = {
    "checkpoint_every": (r"[1-9]\d*|\d+(\.\d+)?min", "a number of steps, such as 500, or minutes, such as 10min"),
    "trainer.devices": (r"auto|-?\d+|\d+(, *\d+)*,?", "auto, a number such as 2, or a list of numbers such as 0,1"),
    "trainer.accelerator": (r"auto|cpu|gpu|cuda|mps|tpu|xla|hpu|xpu|.*\..*", "auto, cpu, gpu, cuda, mps or tpu"),
    "trainer.gradient_clip_algorithm": (r"norm|value", "norm or value"),
    "trainer.max_time": (r"(?=.*[1-9])\d+:\d\d?:\d\d?:\d\d?", "days, hours, minutes and seconds, such as 00:12:00:00"),
}

TIMES = ("trainer.val_check_interval", "trainer.max_time")


def out_of_range(key: str, value: Any) -> str | None:
    """Returns the allowed range in words if a setting's value is outside of it."""
    if key == "checkpoint.filename":
        try:
            list(Formatter().parse(str(value)))
        except ValueError:
            return "a name whose braces are closed, such as epoch{epoch:03}"
    if isinstance(value, str):
        text, value = value, safe_yaml.value_of(value)
        if key in TEXTS and value is not None and not isinstance(value, (dict, list)):
            pattern, words = TEXTS[key]
            if not re.fullmatch(pattern, text):
                return words
    if key in TIMES and isinstance(value, dict):
        with suppress(TypeError, OverflowError):  # the parser refuses such values
            return "a time above 0" if timedelta(**value) <= timedelta(0) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, int) and abs(value) >= LARGEST:
        return "a number that fits into 64 bits"
    if key not in LIMITS:
        return None
    low, high = LIMITS[key]
    above, least = isinstance(low, list), low[0] if isinstance(low, list) else low
    if (value > least if above else value >= least) and value <= high:
        return None
    if value > high or not math.isfinite(value):
        return f"a number from {least} to {high}"
    return f"above {least}" if above else f"{least} or more"

"""Which checkpoints a run keeps: the best, and the last."""

from datetime import timedelta
from typing import Any

from jsonargparse.typing import restricted_string_type
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

Minutes = restricted_string_type("Minutes", r"^\d+(\.\d+)?min$", docstring="minutes, such as 10min")


def arrange_checkpoints(callbacks: list[Callback], enabled: bool, every: int | str | None, last: str = "last") -> None:
    """Has the last checkpoint written beside the best, which is among the callbacks already.

    Args:
        callbacks: The Trainer's, changed in place.
        enabled: Whether checkpoints are wanted at all.
        every: Steps, or minutes such as "10min", after which the last one is written within an epoch too.
        last: Its name, without the suffix.
    """
    best = next(c for c in callbacks if isinstance(c, ModelCheckpoint))
    if not enabled:
        callbacks.remove(best)
        return
    if best.monitor is None:  # nothing to choose the best by: the last is all there is
        best.filename = last
    else:
        callbacks.append(_last(last))
    if isinstance(every, str):
        callbacks.append(_last(last, train_time_interval=timedelta(minutes=float(every.removesuffix("min")))))
    elif every:
        callbacks.append(_last(last, every_n_train_steps=every))


def _last(name: str, **when: Any) -> ModelCheckpoint:
    return ModelCheckpoint(filename=name, enable_version_counter=False, **when)

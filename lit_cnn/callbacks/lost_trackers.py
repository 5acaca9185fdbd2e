"""Trackers that are lost in the middle of a run, as when a server stops: a sentence, and the run goes on."""

from collections.abc import Callable
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

CALLS = ("log_metrics", "log_hyperparams", "log_image", "log_figure", "after_save_checkpoint", "save", "finalize")


def survive(logger: Any, *parts: Any) -> None:
    """Has a tracker's first call that fails printed as a sentence, and calls after it do nothing.

    Args:
        logger: The logger.
        *parts: Objects of its library that are called too.
    """
    lost: list[Exception] = []

    def guarded(call: Callable[..., Any]) -> Callable[..., Any]:
        def attempt(*args: Any, **kwargs: Any) -> Any:
            if lost:
                return None
            try:
                return call(*args, **kwargs)
            except Exception as error:
                lost.append(error)
                reason = " ".join(str(error).split())[:200]
                name = type(logger).__name__
                rank_zero_only(print)(f"{name} is lost, and the run goes on without it: {reason}", flush=True)

        return attempt

    for part in (logger, *parts):
        for name in CALLS:
            if hasattr(part, name):
                setattr(part, name, guarded(getattr(part, name)))

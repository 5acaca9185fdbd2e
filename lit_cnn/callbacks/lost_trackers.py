"""Trackers that are lost during a run, for example when a server stops: a message, and the run continues."""

from collections.abc import Callable
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

CALLS = ("log_metrics", "log_hyperparams", "log_image", "log_figure", "after_save_checkpoint", "save", "finalize")


def survive(logger: Any, *parts: Any) -> None:
    """Makes a tracker print its first failed call as a message, and ignore all calls after it.

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
                rank_zero_only(print)(f"{name} is lost; the run continues without it: {reason}", flush=True)

        return attempt

    for part in (logger, *parts):
        for name in CALLS:
            if hasattr(part, name):
                setattr(part, name, guarded(getattr(part, name)))

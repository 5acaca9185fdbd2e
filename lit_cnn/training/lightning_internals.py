"""The versions of Lightning that the fast loop was tested with; with any other, Lightning's own loops run."""

from functools import cache
from typing import Any

from lightning.pytorch import Callback, LightningModule, __version__
from lightning.pytorch.utilities import rank_zero_warn
from packaging.specifiers import SpecifierSet

# fast_loop.py goes by private names of these. As in pyproject.toml.
TESTED = ">=2.6.6,<2.7"


def with_fewer_calls(trainer: Any, base: type[LightningModule]) -> list[Callback]:
    """Returns the callback that a Trainer needs to take batches of such a module with fewer calls, if it has none yet.

    With a version of Lightning that was not tested there is none, and a warning says so, once.
    """
    if not SpecifierSet(TESTED).contains(__version__, prereleases=True):
        _warn(__version__)
        return []
    from lit_cnn.training.fast_loop import FewerCalls  # not before: another version may lack the names that it imports

    return [] if any(isinstance(c, FewerCalls) for c in trainer.callbacks) else [FewerCalls(base)]


@cache
def _warn(version: str) -> None:
    rank_zero_warn(
        f"The fast loop was tested with lightning{TESTED}, and this is {version}: "
        "Lightning's own loops run, with the same results in more time."
    )

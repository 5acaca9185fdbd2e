"""Versions of Lightning that the fast loop was tested with; with others, Lightning's own loops run."""

from functools import cache
from typing import Any

from lightning.pytorch import Callback, LightningModule, __version__
from lightning.pytorch.utilities import rank_zero_warn
from packaging.specifiers import SpecifierSet

# fast_loop.py uses private names of these versions. As in pyproject.toml.
TESTED = ">=2.6.6,<2.7"


def with_fewer_calls(trainer: Any, base: type[LightningModule]) -> list[Callback]:
    """Returns the callback of the fast loop, unless the Trainer has it already.

    With an untested version of Lightning it returns none, and warns once.
    """
    if not SpecifierSet(TESTED).contains(__version__, prereleases=True):
        _warn(__version__)
        return []
    from lit_cnn.training.fast_loop import FewerCalls  # late, since other versions may lack its names

    return [] if any(isinstance(c, FewerCalls) for c in trainer.callbacks) else [FewerCalls(base)]


@cache
def _warn(version: str) -> None:
    rank_zero_warn(
        f"The fast loop was tested with lightning{TESTED}, and this is {version}: "
        "Lightning's own loops run, with the same results in more time."
    )

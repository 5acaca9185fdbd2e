"""Which classes there are: those derived from a base and imported so far."""

from typing import TypeVar

T = TypeVar("T")


def subclasses_of(base: type[T]) -> list[type[T]]:
    """Returns all classes derived from `base`, at any depth, in the order of their making."""
    return [c for direct in base.__subclasses__() for c in (direct, *subclasses_of(direct))]

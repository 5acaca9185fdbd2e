"""Which classes there are: those derived from a base and imported so far."""

from inspect import isabstract


def subclasses_of(base: type) -> list[type]:
    """Returns all classes derived from `base` that can be made, at any depth, in the order of their making."""
    direct: list[type] = base.__subclasses__()
    found = [c for derived in direct for c in (derived, *subclasses_of(derived))]
    return [c for c in found if not isabstract(c)]

"""Which classes there are: those derived from a base and imported so far."""


def subclasses_of(base: type) -> list[type]:
    """Returns all classes derived from `base`, at any depth, in the order of their making."""
    direct: list[type] = base.__subclasses__()
    return [c for derived in direct for c in (derived, *subclasses_of(derived))]

"""Writes constraints.txt: the versions of this environment that lit_cnn and its tests use, directly or not.

    python scripts/freeze.py > constraints.txt

Run it in the environment of the tests. `pip install -e . -c constraints.txt` then installs the same versions.
"""

import platform
from importlib.metadata import distribution

from packaging.requirements import Requirement

ROOT = "lit-cnn[test]"


def closure(*roots: str) -> dict[str, str]:
    """Returns the version of each installed package that these requirements need, themselves included."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(root) for root in roots]
    while waiting:
        requirement = waiting.pop()
        package = distribution(requirement.name)
        found[package.metadata["Name"].lower().replace("_", "-")] = package.version
        for extra in {"", *requirement.extras} - {extra for name, extra in seen if name == requirement.name}:
            seen.add((requirement.name, extra))
            needed = [Requirement(line) for line in package.requires or []]
            waiting += [r for r in needed if r.marker is None or r.marker.evaluate({"extra": extra})]
    return found


def main() -> None:
    """Prints a line `name==version` for each package but our own."""
    print(f"# Written by scripts/freeze.py: versions that the tests ran with (Python {platform.python_version()}).")
    found = closure(ROOT)
    del found["lit-cnn"]
    print("\n".join(sorted(f"{name}=={version.partition('+')[0]}" for name, version in found.items())))


if __name__ == "__main__":
    main()

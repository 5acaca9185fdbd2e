"""Prints the structure of the package: its rooms with a line each, the imports between them, and those that run upward.

    python scripts/house.py

Rooms are the folders of lit_cnn, and an arrow is an import from one room into another, wherever in a file it stands.
The order of the rooms is that of the contract in pyproject.toml, which `lint-imports` holds.
"""

import ast
import sys
import tomllib
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
PACKAGE = "lit_cnn"
PUBLIC = "(public names)"  # lit_cnn/__init__.py, which imports from all rooms and no room from it


def floors() -> dict[str, int]:
    """Returns the number of each room's layer, the top one being 0."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return {room.strip(): number for number, layer in enumerate(layers) for room in layer.split("|")}


def arrows() -> set[tuple[str, str]]:
    """Returns the pairs of rooms of which the first imports from the second."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    found = set()
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            ends = _room(importer), _room(imported)
            if ends[0] != ends[1]:
                found.add(ends)
    return found


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else PUBLIC


def main() -> int:
    """Prints, and returns 1 where an import runs upward."""
    level = floors()
    for room in level:
        path = ROOT / PACKAGE / room
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
        lines = sum(len(file.read_text("utf-8").splitlines()) for file in files)
        text = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text("utf-8")
        docstring = ast.get_docstring(ast.parse(text)) or ""
        print(f"{room:14} {len(files):3} files {lines:6,} lines  {docstring.partition(chr(10))[0]}")
    found = arrows()
    level[PUBLIC] = -1
    upward = [pair for pair in sorted(found) if level[pair[0]] >= level[pair[1]]]
    print(f"{len(level)} rooms on {len(set(level.values()))} floors, {len(found)} arrows, {len(upward)} upward")
    for importer, imported in upward:
        print(f"upward: {importer} imports from {imported}")
    return int(bool(upward))


if __name__ == "__main__":
    sys.exit(main())

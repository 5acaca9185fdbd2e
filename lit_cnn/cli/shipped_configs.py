"""The configs and experiments that come with the package."""

from pathlib import Path

EXPERIMENTS = "experiments"


def shipped_configs() -> dict[str, Path]:
    """Returns the configs that come with the package, by name."""
    return {name: path for name, path in _files().items() if not name.startswith(f"{EXPERIMENTS}/")}


def trained_configs() -> dict[str, Path]:
    """Returns the shipped configs that are one run each, with a result: no overlays and no recipes."""
    return {name: path for name, path in shipped_configs().items() if "/" not in name}


def shipped_experiments() -> dict[str, Path]:
    """Returns the experiments that come with the package, by name."""
    files = _files().items()
    return {name.partition("/")[2]: path for name, path in files if name.startswith(f"{EXPERIMENTS}/")}


def _files() -> dict[str, Path]:
    here = Path(__file__).parents[1]
    folder = next(f for f in (here / "configs", here.parent / "configs") if f.is_dir())
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("*.yaml"))}

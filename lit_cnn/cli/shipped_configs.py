"""The configs and experiments that come with the package."""

from pathlib import Path

from lit_cnn.errors import ConfigError, nearest

EXPERIMENTS = "experiments"


def shipped_configs() -> dict[str, Path]:
    """Returns the configs that come with the package, by name."""
    return {name: path for name, path in _files().items() if not name.startswith(f"{EXPERIMENTS}/")}


def shipped_experiments() -> dict[str, Path]:
    """Returns the experiments that come with the package, by name."""
    files = _files().items()
    return {name.partition("/")[2]: path for name, path in files if name.startswith(f"{EXPERIMENTS}/")}


def _files() -> dict[str, Path]:
    here = Path(__file__).parents[1]
    folder = next(f for f in (here / "configs", here.parent / "configs") if f.is_dir())
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("*.yaml"))}


def name_of(given: str) -> str:
    """Returns the name of a config or experiment that is given by its name or file."""
    return given.removeprefix("configs/").removeprefix(f"{EXPERIMENTS}/").removesuffix(".yaml")


def find_file(given: str, kind: str) -> Path:
    """Returns the file of a config or experiment (`kind`) from its path or its name."""
    if Path(given).is_file():
        return Path(given)
    name, shipped = name_of(given), shipped_configs() if kind == "config" else shipped_experiments()
    if name not in shipped:
        known = f"{kind.capitalize()}s that come with lit_cnn: {', '.join(shipped)}."
        raise ConfigError(f"{given or repr(given)}: there is no such {kind}.{nearest(name, list(shipped))}\n{known}")
    return shipped[name]

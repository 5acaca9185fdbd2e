"""Command-line arguments: finds the configs and runs among them, and collects all settings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lit_cnn.cli import network_flags, safe_yaml
from lit_cnn.cli.known_settings import BRANCHES, classes_of
from lit_cnn.cli.shipped_configs import find_file, name_of, shipped_configs
from lit_cnn.errors import CheckpointError, ConfigError, nearest
from lit_cnn.runs.class_paths import up_to_date
from lit_cnn.runs.folder import find_run

COMMAND_LINE = "command line"
RESUME = "--resume"
WITHOUT_VALUE = ("--help", "-h", "--print_config")


@dataclass(frozen=True)
class Setting:
    """One given setting: its key without `init_args` and `+`, its value and its origin."""

    key: str
    value: Any
    origin: str

    @property
    def branch(self) -> str:
        """The part of the config that it belongs to, such as trainer or data.augment; empty at the top."""
        *above, _ = self.key.split(".")
        nested = ".".join(above[:2])
        return nested if nested in BRANCHES else "".join(above[:1])

    @property
    def leaf(self) -> str:
        """Its name within that part."""
        return self.key.removeprefix(f"{self.branch}.").partition(".")[0]


def expand(argv: list[str]) -> list[str]:
    """Returns the arguments with all configs as paths, at the front, so that flags override them.

    `--config quickstart`, `--config configs/quickstart.yaml`, `quickstart` and `configs/quickstart.yaml` are the same.
    A run's folder or checkpoint is replaced by its config and weights. `--resume` gets the run's folder, and the run's
    config is added if none is given. Anything else is a LitCNNError.
    """
    verb, *rest = up_to_date(argv)
    configs, flags = list[str](), list[str]()
    resumed: str | None = None
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("-"):
            config, more = _bare(argument, verb)
            configs.append(config)
            flags += more
            continue
        name, equals, value = argument.partition("=")
        flag = [argument]
        if not equals and argument not in WITHOUT_VALUE and rest and not rest[0].startswith("--"):
            flag.append(value := rest.pop(0))
        if name in ("--config", "-c"):
            configs.append(str(find_file(value, "config")))
        elif verb in ("fit", "check") and name == RESUME:
            resumed = value
        elif verb in ("fit", "check") and (name, value) == ("--ckpt_path", "last"):
            resumed = ""
        else:
            flags += flag
    if resumed is not None:
        run = Path(resumed) if resumed not in ("", "true") else _newest_run([*_flags_of(configs), *flags])
        if not run.is_dir() or (not configs and not (run / "config.yaml").is_file()):
            raise CheckpointError(f"There is no run {run} to resume. Give the folder of a run of `fit`.")
        flags += [RESUME, str(run)]
        configs = configs or [str(run / "config.yaml")]
    return [verb, *_flags_of(configs), *network_flags.gathered(flags, [Path(config) for config in configs])]


def _flags_of(configs: list[str]) -> list[str]:
    return [part for config in configs for part in ("--config", config)]


def _bare(given: str, verb: str) -> tuple[str, list[str]]:
    """Returns the config for an argument without a flag, and the flags that come with it."""
    path = Path(given)
    if not given.strip():
        raise ConfigError(f"An argument is empty, {given!r}: perhaps a variable of the shell is not set.")
    if (path.is_file() and path.suffix != ".ckpt") or name_of(given) in shipped_configs():
        return str(find_file(given, "config")), []
    if verb == "fit" and not path.exists():
        remedy = _remedy(given) or "\nGive the path or name of a config, or flags."
        raise ConfigError(f"{given} is neither a config nor a flag.{remedy}")
    try:
        found = find_run(path)
    except CheckpointError as error:
        raise CheckpointError(f"{error}{_remedy(given)}") from error
    run = found.parents[1] if found.is_file() else found
    config = run / "config.yaml"
    if not config.is_file():
        raise ConfigError(f"{run} has no config.yaml. Use --config CONFIG --ckpt_path {given}.")
    if verb == "fit":
        raise ConfigError(
            f"{given} is a run. To resume it: python -m lit_cnn fit --resume {run}\n"
            f"To train it again: python -m lit_cnn fit --config {config}"
        )
    return str(config), [] if verb == "check" else ["--ckpt_path", given]


def _remedy(given: str) -> str:
    for branch in BRANCHES:
        if given in classes_of(branch):
            return f"\nUse --{branch} {given}."
    if "=" in given:
        return f"\nSettings are flags: --{given}"
    return nearest(name_of(given), list(shipped_configs()))


def _newest_run(argv: list[str]) -> Path:
    root, name = root_and_name(argv)
    if name is None:
        raise CheckpointError(f"{RESUME} needs the run to resume: give its folder, --config or --name.")
    runs = {path.parents[1] for path in (root / name).glob("version_*/checkpoints/*.ckpt")}
    if not runs:
        where = f"There is no run in {root / name} with a checkpoint."
        raise CheckpointError(f"{where} Start without {RESUME}.")
    return max(runs, key=lambda folder: int(re.sub(r"\D", "", folder.name) or 0))


def config_paths(argv: list[str]) -> list[Path]:
    """Returns the paths of all configs among the arguments."""
    return [Path(argv[i + 1]) for i, argument in enumerate(argv[:-1]) if argument in ("--config", "-c")]


def given_settings(argv: list[str]) -> list[Setting]:
    """Returns all settings of the configs and flags. Raises ConfigError if a config cannot be read."""
    paths = config_paths(argv)
    settings = [Setting(key, value, str(path)) for path in paths for key, value in _flatten(safe_yaml.read(path))]
    for argument, following in zip(argv, [*argv[1:], "--"], strict=False):
        if argument.startswith("--"):
            flag, equals, value = argument[2:].partition("=")
            key = flag.replace("+", "").replace(".init_args", "")
            given = value if equals else None if following.startswith("--") else following
            content = safe_yaml.value_of(given or "")
            content = content if isinstance(content, (dict, list)) else given
            settings.append(Setting(key, content, COMMAND_LINE))
            settings += [Setting(inner, value, COMMAND_LINE) for inner, value in _flatten(content, key)]
    return settings


def root_and_name(argv: list[str]) -> tuple[Path, str | None]:
    """Returns the folder of all runs and the name of this one, from configs and flags."""
    settings, paths = given_settings(argv), config_paths(argv)
    given = {setting.key: setting.value for setting in settings}
    name = given.get("name") or name_by_config(paths, settings)
    return Path(given.get("trainer.default_root_dir") or "logs"), name


def name_by_config(configs: list[Path], settings: list[Setting]) -> str | None:
    """Returns the name of a run: its first config, for a recipe with the network; None if there is no config.

    Example:
        >>> name_by_config([Path("recipes/cifar.yaml")], [Setting("model", "LitVGG", ""), Setting("model.lr", 1, "")])
        'cifar_vgg'
    """
    if not configs:
        return None
    config, network = configs[0], ""
    for setting in settings:
        if setting.key in ("model", "model.class_path") and isinstance(setting.value, str):
            network = setting.value.rpartition(".")[2].removeprefix("Lit").lower()
        elif setting.key == "model.name":
            network = str(setting.value)
    return f"{config.stem}_{network}" if config.parent.name == "recipes" and network else config.stem


def _flatten(content: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields all nested keys and their values; list indices are not part of a key."""
    if isinstance(content, dict):
        for key, value in content.items():
            inner = prefix if key == "init_args" else f"{prefix}.{key}".lstrip(".").replace("+", "")
            if key != "init_args":
                yield inner, value
            yield from _flatten(value, inner)
    elif isinstance(content, list):
        for item in content:
            yield from _flatten(item, prefix)


def only_prints(argv: list[str], *what: str) -> bool:
    """Whether the arguments ask for an output instead of a run; `what` is "help", "print_config" or both.

    Example:
        >>> only_prints(["--model.help", "LitVGG"], "help"), only_prints(["--print_config=skip_null"], "print_config")
        (True, True)
    """
    names = {flag.partition("=")[0].removeprefix("--").split(".")[-1] for flag in argv if flag.startswith("-")}
    return not names.isdisjoint(what) or ("help" in what and "-h" in names)

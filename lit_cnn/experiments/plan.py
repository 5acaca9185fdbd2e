"""Plan of an experiment: all cells, with their configs checked by the parser of `fit`."""

from pathlib import Path
from typing import Any

import yaml

from lit_cnn.cli.command_line import COMMAND_LINE, given_settings, root_and_name
from lit_cnn.cli.trainer import LitCLI, run_verb
from lit_cnn.errors import ConfigError, LitCNNError
from lit_cnn.experiments.cells import Cell
from lit_cnn.experiments.grid import TAKEN, Experiment, Variant


class PlanCLI(LitCLI):
    """Parses and builds as `fit` does, but runs nothing."""

    def before_instantiate_classes(self) -> None:
        """Refuses `tune_speed`, since each cell would choose its own settings."""
        if self.config.tune_speed:
            raise ConfigError(
                "tune_speed: true would choose other settings for each cell, and the results could not be compared.\n"
                "Remove it, and give all cells the settings that `python -m lit_cnn check --tune_speed true` prints."
            )
        super().before_instantiate_classes()

    def instantiate_trainer(self, **kwargs: Any) -> Any:
        """Builds no Trainer, and so creates no folder."""

    def run(self) -> None:
        """Runs nothing."""


def plan(experiment: Experiment, overrides: list[str]) -> list[Cell]:
    """Returns all cells, seed by seed; for the first wrong config it raises the error of `fit`."""
    typed = {setting.key for setting in given_settings(overrides)}
    for key in (*TAKEN, "config"):
        if key in typed:
            raise ConfigError(f"--{key} cannot be set: the experiment sets it for each cell.")
    for variant in experiment.variants:
        if double := sorted(typed & set(variant.labels)):
            raise ConfigError(f"--{double[0]} is an axis of {experiment.path}. Remove it, or change the file.")
    root = root_and_name(overrides)[0] / experiment.name
    configs = [_config_of(variant, experiment.path, overrides) for variant in experiment.variants]
    cells = []
    for seed in experiment.seeds:
        for variant, config in zip(experiment.variants, configs, strict=True):
            name = f"{variant.name}-seed{seed}"
            own = [f"--seed_everything={seed}", "--name", name, "--trainer.default_root_dir", str(root)]
            argv, config = [*variant.argv, *overrides, *own], config | {"seed_everything": seed}
            cells.append(Cell(name, variant.name, variant.labels, seed, root, argv, overrides, config))
    return cells


def _config_of(variant: Variant, path: Path, overrides: list[str]) -> dict[str, Any]:
    """Returns the config of a variant; a wrong setting is told with its origin: the file, or the command line."""
    parsed = _parsed([*variant.argv, *overrides])
    if isinstance(parsed, LitCNNError):
        said, typed = str(parsed), f"({COMMAND_LINE})"
        if typed in said and overrides and str(_parsed(variant.argv)) != said:
            raise parsed
        raise type(parsed)(f"cell {variant.name}: {said.replace(typed, f'({path})')}") from parsed
    # In the form of config.yaml.
    return yaml.safe_load(parsed.parser.dump(parsed.config, skip_none=False, skip_validation=True))


def _parsed(argv: list[str]) -> Any:
    """Returns the PlanCLI for arguments of `fit`, or the error that it raises."""
    try:
        return run_verb(["fit", *argv], PlanCLI)
    except LitCNNError as error:
        return error

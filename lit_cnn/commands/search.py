"""Searches an experiment for the variant with the best validation accuracy, without running all variants."""

import statistics
from typing import Any

from lit_cnn.commands.ablate import EXPERIMENT, planned, run_cells, table
from lit_cnn.commands.arguments import Parser, positive
from lit_cnn.errors import ConfigError, not_installed
from lit_cnn.experiments.cells import write_plan
from lit_cnn.experiments.grid import read_experiment
from lit_cnn.experiments.side_by_side import shares

EPILOG = """Optuna's TPE sampler (Bergstra et al. 2011) chooses which variants to run. A variant is judged by its mean
validation accuracy over the seeds; the test images play no part. The runs are cells of `ablate`, so finished ones are
not repeated. Start the same command again to resume an interrupted search.

example:
  python -m lit_cnn search my_experiment.yaml --trials 30 --data.data_dir data
"""

FIGURE = "val/acc"


def main(argv: list[str]) -> None:
    """Searches, and prints the trials."""
    parser = Parser("search", __doc__, EPILOG)
    parser.add_argument("experiment", help=EXPERIMENT)
    parser.add_argument("--trials", type=positive, default=20, help="largest number of variants to try (default 20)")
    given, overrides = parser.parse_before_settings(argv)
    try:
        import optuna
    except ImportError as error:
        raise not_installed("search", "optuna", "search") from error
    experiment = read_experiment(given.experiment)
    cells = planned(experiment, overrides)
    for cell in cells:
        if cell.config["data"]["init_args"].get("val_size") == 0:
            raise ConfigError(
                f"cell {cell.variant}: data.val_size is 0, so there are no validation images to compare variants."
            )
    write_plan(experiment, cells)
    how = shares(cells, None)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    axes = {axis: list(dict.fromkeys(cell.labels[axis] for cell in cells)) for axis in cells[0].labels}
    tried, variants = dict[str, float](), len({cell.variant for cell in cells})

    def value_of(trial: Any) -> float:
        labels = {axis: trial.suggest_categorical(axis, values) for axis, values in axes.items()}
        chosen = [cell for cell in cells if cell.labels == labels]
        variant = chosen[0].variant
        if variant not in tried:
            waiting = [cell for cell in chosen if cell.results() is None]
            if waiting and run_cells(waiting, len(chosen), how, ["search", *argv]):
                raise optuna.TrialPruned
            tried[variant] = statistics.mean(results[FIGURE] for c in chosen if (results := c.results()))
            print(f"trial {len(tried)}: {variant}  {FIGURE} {tried[variant]:.2%}", flush=True)
        if len(tried) in (given.trials, variants):
            study.stop()
        return tried[variant]

    study.optimize(value_of, n_trials=10 * given.trials)  # Optuna may repeat a variant
    if not tried:
        raise ConfigError(f"No variant of {experiment.path} finished. The output in the cells' folders shows why.")
    best = max(tried, key=tried.__getitem__)
    print(f"\n{table([cell for cell in cells if cell.variant in tried], FIGURE)}")
    print(f"\nbest of {len(tried)} variants tried, {variants} in total: {best}, {FIGURE} {tried[best]:.2%}")
    print(table([cell for cell in cells if cell.variant == best]))

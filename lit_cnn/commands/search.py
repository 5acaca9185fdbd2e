"""Finds the variant of an experiment with the best validation accuracy without running all, by Optuna."""

import statistics
from typing import Any

from lit_cnn.commands.ablate import EXPERIMENT, planned, run_cells, table
from lit_cnn.commands.arguments import Parser, positive
from lit_cnn.errors import ConfigError, not_installed
from lit_cnn.experiments.cells import write_plan
from lit_cnn.experiments.grid import read_experiment
from lit_cnn.experiments.side_by_side import shares

EPILOG = """The best by mean validation accuracy over the seeds, found by Optuna's TPE over the axes (Bergstra et al.
2011), without the test images. Its runs are the cells of `ablate`: finished ones are not repeated, and an interrupted
search is resumed by the same command.

example:
  python -m lit_cnn search my_experiment.yaml --trials 30 --data.data_dir data
"""

FIGURE = "val/acc"


def main(argv: list[str]) -> None:
    """Searches, and prints the trials."""
    parser = Parser("search", __doc__, EPILOG)
    parser.add_argument("experiment", help=EXPERIMENT)
    parser.add_argument("--trials", type=positive, default=20, help="variants to try at most (20)")
    given, overrides = parser.parse_before_settings(argv)
    try:
        import optuna
    except ImportError as error:
        raise not_installed("search", "optuna", "search") from error
    experiment = read_experiment(given.experiment)
    cells = planned(experiment, overrides)
    for cell in cells:
        if cell.config["data"]["init_args"].get("val_size") == 0:
            raise ConfigError(f"cell {cell.variant}: data.val_size is 0, so there is nothing to select by.")
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
        raise ConfigError(f"No variant of {experiment.path} finished. The cells' folders say why.")
    best = max(tried, key=tried.__getitem__)
    print(f"\n{table([cell for cell in cells if cell.variant in tried], FIGURE)}")
    print(f"\nthe best of {len(tried)} tried, of {variants}: {best}, {FIGURE} {tried[best]:.2%}")
    print(table([cell for cell in cells if cell.variant == best]))

"""`python -m lit_cnn verify`: whether a shipped config still comes to its expected result."""

import argparse
import statistics
from pathlib import Path

from lit_cnn.commands.ablate import run_grid
from lit_cnn.errors import ConfigError, LitCNNError
from lit_cnn.experiments.expected import expected_of
from lit_cnn.experiments.grid import Experiment, Variant, seeds_of

HELP = """usage: python -m lit_cnn verify CONFIG [--seeds N] [--jobs N] [--KEY VALUE of fit ...]

Trains a shipped config with some seeds, and says whether their mean test accuracy lies where the expected result
(configs/expected.json: mean and standard deviation over n seeds) lets 95 % of such means lie: its prediction
interval by Student's t. Runs that are there already, in logs/verify-CONFIG, are not repeated.

  --seeds N    seeds 0 to N - 1, or a list such as [4,5] (1)
  --jobs N     runs side by side (1)

example:
  python -m lit_cnn verify quickstart --seeds [4]

exit codes: 0 inside, 7 outside, 2 no expected result or a setting is wrong; else as fit.
"""


class OutsideError(LitCNNError):
    """A result that is not the expected one."""

    exit_code = 7


def main(argv: list[str]) -> None:
    """Runs the seeds and judges them.

    Raises:
        LitCNNError: If there is no expected result, a run fails, or the result is outside.
    """
    if not argv or "--help" in argv or "-h" in argv:
        print(HELP)
        return
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--jobs", type=int, default=1)
    try:
        given, overrides = parser.parse_known_args(argv[1:])
    except argparse.ArgumentError as error:
        raise ConfigError(f"{error}. verify --help shows what it takes.") from error
    path = Path(argv[0])
    expected = expected_of(argv[0])
    if expected is None:
        raise ConfigError(f"{path.stem}: no expected result. configs/expected.json has those that were measured.")
    seeds = seeds_of(given.seeds, Path("--seeds"))
    variant = Variant(path.stem, {}, ["--config", argv[0]])
    cells = run_grid(
        Experiment(f"verify-{path.stem}", path, [variant], seeds), overrides, given.jobs, ["verify", *argv]
    )
    values = [results["test/acc"] for cell in cells if (results := cell.results())]
    mean = statistics.mean(values)
    low, high = expected.band(len(values))
    print(f"expected  {expected.mean:.2%} +- {expected.sd:.2%} over {expected.n} seeds, on {expected.hardware}")
    print(f"band      {low:.2%} to {high:.2%}: 95 % prediction interval for the mean of {len(values)}, Student's t")
    print(f"found     {mean:.2%}: {'inside' if low <= mean <= high else 'outside'}")
    if not low <= mean <= high:
        raise OutsideError(
            f"{path.stem} came to {mean:.2%}, outside of {low:.2%} to {high:.2%}.\n"
            "One of 20 sound runs does; take more --seeds before you look for a fault."
        )

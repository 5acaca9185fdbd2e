"""Trains a shipped config with new seeds, and compares their mean with its expected result."""

import statistics
from pathlib import Path

from lit_cnn.commands.ablate import run_grid
from lit_cnn.commands.arguments import Parser, positive
from lit_cnn.errors import ConfigError, LitCNNError
from lit_cnn.experiments.expected import CONFIDENCE, expected_of
from lit_cnn.experiments.grid import Experiment, Variant, seeds_of

EPILOG = """The mean test accuracy of the new seeds has to lie in the 95 % prediction interval (Student's t) of the
expected result (configs/expected.json: mean and standard deviation over n seeds); 1 of 20 sound runs is outside. The
seeds of the expected result are not used again, since repeating them would only show that the machine repeats itself.
Finished runs in logs/verify-CONFIG are not repeated.

example:
  python -m lit_cnn verify quickstart --seeds 3

exit codes: 0 inside, 7 outside; else as fit.
"""


class OutsideError(LitCNNError):
    """Error for a result outside of the expected interval."""

    exit_code = 7


def main(argv: list[str]) -> None:
    """Runs the seeds, and compares their mean with the expected result."""
    parser = Parser("verify", __doc__, EPILOG)
    parser.add_argument("config", help="a shipped config, by its name or its file")
    parser.add_argument("--seeds", default="1", help="number of new seeds, or a list such as [30,31] (1)")
    parser.add_argument("--jobs", type=positive, default=1, help="runs at a time (1)")
    parser.add_argument(
        "--confidence", type=float, default=CONFIDENCE, help=f"share of sound results inside ({CONFIDENCE})"
    )
    given, overrides = parser.parse_before_settings(argv)
    if not 0 < given.confidence < 1:
        raise ConfigError(f"--confidence {given.confidence}: has to be a share between 0 and 1, such as 0.95.")
    path, expected = Path(given.config), expected_of(given.config)
    if expected is None:
        raise ConfigError(f"{path.stem}: no expected result. configs/expected.json lists the measured ones.")
    seeds = seeds_of(given.seeds, Path("--seeds"))
    fresh = expected.fresh_seeds(len(seeds))
    if given.seeds.strip().isdigit():
        seeds = fresh
    elif known := [seed for seed in seeds if seed in expected.seeds]:
        raise ConfigError(
            f"--seeds {given.seeds}: the expected result comes from seed {known[0]} itself, which tells nothing.\n"
            f"Take others, such as {fresh}."
        )
    variant = Variant(path.stem, {}, ["--config", given.config])
    experiment = Experiment(f"verify-{path.stem}", path, [variant], seeds)
    cells = run_grid(experiment, overrides, given.jobs, ["verify", *argv])
    values = [results["test/acc"] for cell in cells if (results := cell.results())]
    mean = statistics.mean(values)
    low, high = expected.band(len(values), given.confidence)
    new = "1 new seed" if len(values) == 1 else f"the mean of {len(values)} new seeds"
    word = "inside" if low <= mean <= high else "outside"
    print(f"expected  {expected.mean:.2%} +- {expected.sd:.2%} over {expected.n} seeds, on {expected.hardware}")
    print(f"band      {low:.2%} to {high:.2%}: {100 * given.confidence:g} % prediction interval for {new}, Student's t")
    print(f"found     {mean:.2%}: {word}; seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}")
    if word == "outside":
        raise OutsideError(
            f"{path.stem} came to {mean:.2%}, outside of {low:.2%} to {high:.2%}.\n"
            f"{1 - given.confidence:.3g} of sound runs do; take more --seeds before you look for a fault."
        )

"""Trains a shipped config with new seeds and compares the accuracy with the expected one; or tests shipped weights."""

import statistics
from pathlib import Path

from lit_cnn.commands.ablate import run_grid
from lit_cnn.commands.arguments import Parser, positive
from lit_cnn.errors import ConfigError, LitCNNError
from lit_cnn.experiments.expected import CONFIDENCE, expected_of
from lit_cnn.experiments.grid import Experiment, Variant, seeds_of
from lit_cnn.runs.weights import about_weights

EPILOG = """The mean test accuracy of the new seeds must be inside the 95 % prediction interval (Student's t) of the
expected result, which is in configs/expected.json with its mean, standard deviation and seeds. 1 of 20 correct runs is
outside. The seeds of the expected result are not used again: they would give the same result, and test nothing.
Finished runs in logs/verify-CONFIG are not repeated.

With --weights nothing is trained. The weights classify the test images again, and the number of correct images is
compared. 1 of 1,000 images may differ, since another processor may round differently.

examples:
  python -m lit_cnn verify quickstart --seeds 3
  python -m lit_cnn verify --weights cnn_mnist --data_dir data

exit codes: 0 inside, 7 outside, others as for fit.
"""


ROUNDING = 0.001  # share of the test images that another processor may classify differently


class OutsideError(LitCNNError):
    """Error for a result outside of the expected interval."""

    exit_code = 7


def main(argv: list[str]) -> None:
    """Runs the seeds, and compares their mean with the expected result."""
    parser = Parser("verify", __doc__, EPILOG)
    parser.add_argument("config", nargs="?", help="a shipped config, by its name or file")
    parser.add_argument("--weights", metavar="NAME", help="test these weights of the package instead")
    parser.add_argument("--data_dir", help="with --weights: folder of their dataset")
    parser.add_argument("--seeds", default="1", help="number of new seeds, or a list such as [30,31] (default 1)")
    parser.add_argument("--jobs", type=positive, default=1, help="runs at a time (default 1)")
    share = f"share of correct results that is inside the interval (default {CONFIDENCE})"
    parser.add_argument("--confidence", type=float, default=CONFIDENCE, help=share)
    given, overrides = parser.parse_before_settings(argv)
    if given.weights and overrides:
        parser.error(f"{overrides[0]} is a setting of `fit`, but --weights trains nothing")
    if (given.config is None) == (given.weights is None):
        parser.error("name a config, or --weights NAME")
    if given.config and given.data_dir:
        parser.error("--data_dir goes with --weights; for a config it is --data.data_dir")
    if given.weights:
        for name in ("seeds", "jobs", "confidence"):
            if getattr(given, name) != parser.get_default(name):
                parser.error(f"--{name} is for a config, but --weights trains nothing")
        test_weights(given.weights, given.data_dir)
        return
    if not 0 < given.confidence < 1:
        raise ConfigError(f"--confidence {given.confidence}: has to be a share between 0 and 1, such as 0.95.")
    path, expected = Path(given.config), expected_of(given.config)
    if expected is None:
        raise ConfigError(f"{path.stem}: no expected result. configs/expected.json has those that were measured.")
    seeds = seeds_of(given.seeds, Path("--seeds"))
    fresh = expected.fresh_seeds(len(seeds))
    if given.seeds.strip().isdigit():
        seeds = fresh
    elif known := [seed for seed in seeds if seed in expected.seeds]:
        raise ConfigError(
            f"--seeds {given.seeds}: the expected result comes from seed {known[0]} itself, so this tests nothing.\n"
            f"Use others, such as {fresh}."
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
            f"{path.stem} reached {mean:.2%}, outside {low:.2%} to {high:.2%}.\n"
            f"{1 - given.confidence:.3g} of correct runs are outside; use more --seeds before you look for a mistake."
        )


def test_weights(name: str, data_dir: str | None) -> None:
    """Tests weights of the package on the test images of their dataset, and compares with the published accuracy."""
    about = about_weights(name)

    from lit_cnn.data import datasets
    from lit_cnn.inference.load import load

    module = load(name)
    data = getattr(datasets, about["data"])(**({"data_dir": data_dir} if data_dir else {}))
    arrays = data.arrays("test")
    right = 0
    for start in range(0, len(arrays), 1000):
        part = slice(start, start + 1000)
        right += int((module.predict(arrays.images[part]).argmax(1) == arrays.labels[part]).sum())
    print(f"trained   {about['trained_on']}, seed {about['seed']}, on {about['machine']}")
    print(f"expected  {about['correct']:,} of {about['test_images']:,} correct")
    print(f"found     {right:,} of {len(arrays):,} correct")
    if len(arrays) != about["test_images"] or abs(right - about["correct"]) > ROUNDING * len(arrays):
        raise OutsideError(
            f"{name} has {right:,} of {len(arrays):,} test images correct, not {about['correct']:,} of "
            f"{about['test_images']:,}.\nThe weights are unchanged (sha256), so check the images."
        )

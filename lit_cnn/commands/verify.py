"""Trains a shipped config with new seeds and compares with its expected result; or tests shipped weights anew."""

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

With --weights nothing is trained: the weights of that name classify the test images again. Another processor may round
otherwise, so that up to 1 of 1,000 images may differ from the figure that comes with them.

examples:
  python -m lit_cnn verify quickstart --seeds 3
  python -m lit_cnn verify --weights cnn_mnist --data_dir data

exit codes: 0 inside, 7 outside; else as fit.
"""


ROUNDING = 0.001  # share of the test images that another processor may classify otherwise


class OutsideError(LitCNNError):
    """Error for a result outside of the expected interval."""

    exit_code = 7


def main(argv: list[str]) -> None:
    """Runs the seeds, and compares their mean with the expected result."""
    parser = Parser("verify", __doc__, EPILOG)
    parser.add_argument("config", nargs="?", help="a shipped config, by its name or its file")
    parser.add_argument("--weights", metavar="NAME", help="weights that come with the package, to be tested anew")
    parser.add_argument("--data_dir", help="with --weights: where their dataset lies")
    parser.add_argument("--seeds", default="1", help="number of new seeds, or a list such as [30,31] (1)")
    parser.add_argument("--jobs", type=positive, default=1, help="runs at a time (1)")
    parser.add_argument(
        "--confidence", type=float, default=CONFIDENCE, help=f"share of sound results inside ({CONFIDENCE})"
    )
    given, overrides = parser.parse_before_settings(argv)
    if given.weights and overrides:
        parser.error(f"{overrides[0]} is a setting of `fit`, and --weights trains nothing")
    if (given.config is None) == (given.weights is None):
        parser.error("name a config, or --weights NAME")
    if given.config and given.data_dir:
        parser.error("--data_dir goes with --weights; for a config it is --data.data_dir")
    if given.weights:
        for name in ("seeds", "jobs", "confidence"):
            if getattr(given, name) != parser.get_default(name):
                parser.error(f"--{name} is for a config, and --weights trains nothing")
        test_weights(given.weights, given.data_dir)
        return
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


def test_weights(name: str, data_dir: str | None) -> None:
    """Tests weights of the package on their dataset's test images, and compares with the figure that they come with."""
    from lit_cnn.data import datasets
    from lit_cnn.inference.load import load
    from lit_cnn.runs.weights import about_weights

    about, module = about_weights(name), load(name)
    data = getattr(datasets, about["data"])(**({"data_dir": data_dir} if data_dir else {}))
    arrays = data.arrays("test")
    right = 0
    for start in range(0, len(arrays), 1000):
        part = slice(start, start + 1000)
        right += int((module.predict(arrays.images[part]).argmax(1) == arrays.labels[part]).sum())
    print(f"trained   {about['trained_on']}, seed {about['seed']}, on {about['machine']}")
    print(f"expected  {about['correct']:,} of {about['test_images']:,} right")
    print(f"found     {right:,} of {len(arrays):,} right")
    if len(arrays) != about["test_images"] or abs(right - about["correct"]) > ROUNDING * len(arrays):
        raise OutsideError(
            f"{name} has {right:,} of {len(arrays):,} test images right, not {about['correct']:,} of "
            f"{about['test_images']:,}.\nThe weights are as they were shipped (sha256), so look at the images."
        )

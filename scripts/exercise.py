"""The exercise's question, answered: what does a permutation of the pixels do to each of two small networks?

    python scripts/exercise.py --seeds 5 --data_dir data

Runs the four configs `{mlp,cnn}_mnist{,_permuted}` with each seed and prints mean and standard deviation of the
test accuracy. What follows `--` goes to every run, such as `-- --data.val_size 0.1`.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

from lit_cnn.cli import main as lit_cnn

CONFIGS = ["mlp_mnist", "mlp_mnist_permuted", "cnn_mnist", "cnn_mnist_permuted"]


def run(config: str, seed: int, data_dir: str, root: Path, more: list[str]) -> float:
    """Trains and tests one network and returns its test accuracy, from 0 to 1."""
    name = f"{config}_seed{seed}"
    before = set(root.glob(f"{name}/*/results.json"))
    flags = [
        "--seed_everything",
        str(seed),
        "--data.data_dir",
        data_dir,
        "--trainer.default_root_dir",
        str(root),
    ]
    code = lit_cnn(["fit", "--config", config, *flags, "--name", name, "--pictures.enabled", "false", *more])
    if code:
        sys.exit(code)
    (results,) = set(root.glob(f"{name}/*/results.json")) - before
    return json.loads(results.read_text())["test/acc"]


def main() -> None:
    """Runs all, then prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="runs of each network")
    parser.add_argument("--data_dir", default="data", help="where MNIST lies or goes")
    parser.add_argument("--root", type=Path, default=Path("logs/exercise"), help="where the runs' folders go")
    parser.add_argument("more", nargs="*", help="settings of every run, behind --")
    args = parser.parse_args()
    start = time.perf_counter()
    accuracies = {
        config: [run(config, seed, args.data_dir, args.root, args.more) for seed in range(args.seeds)]
        for config in CONFIGS
    }
    print(f"\n{'config':20} {'test accuracy, mean and standard deviation':44} each seed")
    for config, values in accuracies.items():
        spread = statistics.stdev(values) if len(values) > 1 else float("nan")
        each = " ".join(f"{value:.2%}" for value in values)
        print(f"{config:20} {statistics.mean(values):7.2%} +- {spread:5.2%} over {len(values)} seeds {'':16} {each}")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()

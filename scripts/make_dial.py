"""Draws test accuracy against the size of the blocks that change places, one line for each network.

python scripts/make_dial.py logs/dial_mnist docs/dial_mnist.png
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev

from matplotlib.figure import Figure

AXIS = "data.permute_block"


def accuracies(folder: Path) -> dict[str, dict[int, list[float]]]:
    """Returns for each network and block size the test accuracies of the finished runs of an experiment."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for cell in json.loads((folder / "plan.json").read_text())["cells"]:
        for path in sorted((folder / cell["name"]).glob("version_*/results.json")):
            results = json.loads(path.read_text())
            if "test/acc" in results:
                block = int(cell["labels"][AXIS].rpartition("=")[2])
                found[cell["labels"]["network"]][block].append(results["test/acc"])
    return found


def main() -> None:
    """Writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the experiment's folder, such as logs/dial_mnist")
    parser.add_argument("target", type=Path, help="where the PNG goes")
    args = parser.parse_args()
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for network, by_block in accuracies(args.folder).items():
        blocks = sorted(by_block)
        spread = [stdev(by_block[b]) * 100 if len(by_block[b]) > 1 else 0 for b in blocks]
        axes.errorbar(
            range(len(blocks)), [mean(by_block[b]) * 100 for b in blocks], spread, marker="o", capsize=3, label=network
        )
        axes.set_xticks(range(len(blocks)), [f"{b} x {b}" for b in blocks])
    axes.set_xlabel("blocks that change places, in pixels: from single pixels to the whole image")
    axes.set_ylabel("test accuracy, %")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(args.target, dpi=100)
    print(args.target, f"{args.target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

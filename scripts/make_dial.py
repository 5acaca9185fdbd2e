"""Measures the networks of the demo's dial: accuracy on shuffled digits after training on whole digits.

    python scripts/make_dial.py data

Writes lit_cnn/demo/dial.json, the test accuracies by block size, and prints them. The other networks of the dial are
runs of an experiment, put into the package one by one:

    python -m lit_cnn ablate dial_mnist --seeds 1 --data.data_dir data
    python scripts/make_weights.py mlp_mnist_blocks7 logs/dial_mnist/MLP_permute_block=7-seed0/version_0 ...
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from lit_cnn.data.sources import mnist
from lit_cnn.demo.dial import BLOCKS, NETWORKS, WHOLE, weights_of
from lit_cnn.inference.load import load


@torch.inference_mode()
def main() -> None:
    """Writes the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path, help="folder of MNIST/raw/")
    test = mnist.MNIST.read(parser.parse_args().data_dir, "test")
    found: dict[str, list[float]] = {}
    for name in NETWORKS:
        whole, found[name] = load(name), []
        for block in BLOCKS:
            preprocess = load(weights_of(name, block)).preprocess
            assert preprocess is not None
            right = int((whole.evaluate(preprocess(test.images)).argmax(1) == test.labels).sum())
            found[name].append(right / len(test))
        print(name, *(f"{block}: {accuracy:.2%}" for block, accuracy in zip(BLOCKS, found[name], strict=True)))
    WHOLE.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()

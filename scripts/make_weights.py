"""Puts trained weights into the package, with what is known about them.

    python scripts/make_weights.py cnn_mnist logs/cnn_mnist/version_0 --data MNISTDataModule --images "MNIST" ...
    python scripts/make_weights.py airbench94_cifar exported.safetensors --half --seed 0 --correct 8976 --of 10000 ...

A run's seed and test figure come from its results.json. For a file of `export --format safetensors` they are given.
Weights go to lit_cnn/weights/NAME.safetensors, what is known to lit_cnn/weights/weights.json, which a test compares.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from safetensors import safe_open

from lit_cnn.inference.export import metadata_of, write_safetensors
from lit_cnn.inference.load import load
from lit_cnn.runs.folder import read_results
from lit_cnn.runs.weights import FOLDER, INDEX, SUFFIX


def main() -> None:
    """Writes one file of weights and its entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="the config's name")
    parser.add_argument("source", type=Path, help="a run's folder, or a file of `export --format safetensors`")
    parser.add_argument("--images", required=True, help="on what images it was trained and tested")
    parser.add_argument("--data", required=True, help="the data module of its test images, such as MNISTDataModule")
    parser.add_argument("--machine", required=True, help="on what machine it was trained")
    parser.add_argument("--half", action="store_true", help="in float16; test these weights, not the run's")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--correct", type=int, help="test images that these weights have right")
    parser.add_argument("--of", type=int, help="number of test images")
    given = parser.parse_args()

    if given.source.is_dir():
        module = load(given.source)
        about, state = metadata_of(module, preprocessing=False), module.net.state_dict()
        results = read_results(given.source)
        seed, correct, images = results["seed"], results["test/correct"], results["test_images"]
    else:
        with safe_open(given.source, "pt") as file:
            about, state = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        seed, correct, images = given.seed, None, None
    correct, images = given.correct or correct, given.of or images
    if given.half:
        state = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    FOLDER.mkdir(exist_ok=True)
    target = FOLDER / f"{given.name}{SUFFIX}"
    write_safetensors(state, target, about)
    index = json.loads(INDEX.read_text("utf-8")) if INDEX.is_file() else {}
    index[given.name] = {
        "seed": seed,
        "correct": correct,
        "test_images": images,
        "data": given.data,
        "trained_on": given.images,
        "machine": given.machine,
        "bytes": target.stat().st_size,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
    }
    INDEX.write_text(json.dumps(dict(sorted(index.items())), indent=2) + "\n", "utf-8")
    print(f"wrote {target}, {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

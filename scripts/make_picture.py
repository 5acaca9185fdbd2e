"""Draws the README's picture from the digits that travel with the package.

python scripts/make_picture.py
"""

from pathlib import Path

from lit_cnn import SampleDataModule
from lit_cnn.plots import sample_grid

TARGET = Path(__file__).parents[1] / "docs" / "permuted.png"


def main() -> None:
    """Writes the file."""
    data = SampleDataModule(permute=True)
    data.setup("test")
    assert data.preprocess is not None
    images = data.arrays("test").images[:10]
    seen = data.preprocess.to_picture(data.preprocess(images))
    labels = data.arrays("test").labels[:10].tolist()
    figure = sample_grid(images, seen, list(map(str, labels)), "Ten digits", "one permutation for all", columns=10)
    TARGET.parent.mkdir(exist_ok=True)
    figure.savefig(TARGET, dpi=80)
    print(TARGET.name, f"{TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

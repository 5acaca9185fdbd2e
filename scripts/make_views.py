"""Draws docs/views.png: five pictures as each permutation and each view of docs/locality.md shows them.

python -m scripts.make_views
python -m scripts.make_views --folder data/cifar10/test --target cifar10.png
"""

import argparse
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from lit_cnn import transforms as t
from lit_cnn.transforms.pixels import as_bytes
from scripts.make_augmentations import SIDE, of_folder, own_pictures, write

TARGET = Path(__file__).parents[1] / "docs" / "views.png"
PERMUTATIONS: dict[str, t.PixelPermutation] = {
    "permute": t.PixelPermutation((SIDE, SIDE)),
    **{f"blocks of {k}": t.PixelPermutation((SIDE, SIDE), kind="deranged_blocks", block=k) for k in (2, 4, 8, 16)},
    "within blocks of 4": t.PixelPermutation((SIDE, SIDE), kind="within_blocks", block=4),
    "rows": t.PixelPermutation((SIDE, SIDE), kind="rows"),
    "columns": t.PixelPermutation((SIDE, SIDE), kind="columns"),
}
VIEWS: dict[str, t.View] = {
    "LowPass(3)": t.LowPass(3),
    "HighPass(3)": t.HighPass(3),
    "PhaseScramble()": t.PhaseScramble(),
    "ShuffleChannels()": t.ShuffleChannels(),
    "ShufflePixels()": t.ShufflePixels(),
    "Translate(8)": t.Translate(8),
}


def rows_of(pictures: UInt8[Tensor, "n 3 h w"]) -> dict[str, UInt8[Tensor, "n 3 h w"]]:
    """Returns the pictures as they are, and as each of the above shows them."""
    indices = torch.arange(len(pictures))
    return {
        "as they are": pictures,
        **{title: permute(pictures) for title, permute in PERMUTATIONS.items()},
        **{title: as_bytes(view(pictures, indices, "test")) for title, view in VIEWS.items()},
    }


def main() -> None:
    """Writes the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="an image folder to take the pictures from, one for each class")
    parser.add_argument("--target", type=Path, default=TARGET, help="where to write")
    args = parser.parse_args()
    write(rows_of(of_folder(args.folder) if args.folder else own_pictures()), args.target)


if __name__ == "__main__":
    main()

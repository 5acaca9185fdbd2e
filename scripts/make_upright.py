"""Writes a small folder of images for fine-tuning: pictures rotated by 0, 90, 180 or 270 degrees; which way is up?

python scripts/make_upright.py cifar/test upright      # 400 images to train on, 1,000 to test, 4 classes
"""

import sys
from pathlib import Path

from PIL import Image

WAYS = ("up", "left", "down", "right")
TRAIN, TEST = 400, 1000


def main(source: Path, target: Path) -> None:
    """Turns the first images of each class in `source`, each class as often each way."""
    files = sorted(source.glob("*/*"), key=lambda path: (path.name, path.parent.name))[: TRAIN + TEST]
    classes = len({path.parent for path in files})
    for i, path in enumerate(files):
        turns = i // classes % len(WAYS)
        folder = target / ("train" if i < TRAIN else "test") / WAYS[turns]
        folder.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.rotate(90 * turns, expand=True).save(folder / f"{path.parent.name}_{path.stem}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

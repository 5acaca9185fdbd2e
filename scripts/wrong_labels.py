"""Changes 5 % of a folder's labels, trains on it, and counts how many of them the report's ranking finds.

    python scripts/wrong_labels.py digits noisy --model LitLeNet --trainer.max_epochs 5

`digits` is an image folder, train/CLASS/* and test/CLASS/*; its copy with changed labels goes to `noisy`, and what
comes behind are settings of `fit`.
"""

import random
import shutil
import sys
from pathlib import Path

import torch

from lit_cnn.cli.main import main as lit_cnn
from lit_cnn.reports.predictions import predict, predict_split
from lit_cnn.runs.record import run_at

SHARE = 0.05


def change_labels(source: Path, target: Path) -> set[str]:
    """Copies a folder, with some images in the folder of another class; returns the paths of these in the copy."""
    draw, changed = random.Random(0), set[str]()
    for split in ("train", "test"):
        files = sorted((source / split).glob("*/*"))
        classes = sorted({file.parent.name for file in files})
        wrong = set(draw.sample(files, round(SHARE * len(files))))
        for file in files:
            others = [name for name in classes if name != file.parent.name]
            name = draw.choice(others) if file in wrong else file.parent.name
            place = target / split / name / f"{file.parent.name}_{file.name}"
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)
            if file in wrong:
                changed.add(str(place.relative_to(target)))
    return changed


def main(source: Path, target: Path, settings: list[str]) -> None:
    """Prints how many of the changed labels are among the images with the largest loss."""
    changed = change_labels(source, target)
    data = ["--data", "ImageFolderDataModule", "--data.data_dir", str(target), "--name", target.name]
    if code := lit_cnn(["fit", *data, *settings]):
        raise SystemExit(code)
    run = run_at(max(Path("logs", target.name).glob("version_*"), key=lambda path: path.stat().st_mtime))
    test = predict(run)
    others = [predict_split(test.module, test.data, split, split) for split in ("val", "train")]
    for what, parts in (("test", [test]), ("training and validation", others)):
        names = [place.partition(": ")[2] for part in parts for place in part.places]
        order = torch.cat([part.nll for part in parts]).argsort(descending=True).tolist()
        there, first = len(changed & set(names)), round(SHARE * len(names))
        found = sum(names[i] in changed for i in order[:first])
        print(
            f"{what}: {found} of {there} changed labels are among the {first} of {len(names):,} with the largest loss"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])

"""Draws docs/augmentations.png: what each augmentation makes of five pictures.

The pictures are drawn here, and the digit is one of those that travel with the package, so that the figure may go
wherever the package goes. An image folder shows the augmentations on other images.

python scripts/make_augmentations.py
python scripts/make_augmentations.py --folder data/cifar10/test --target cifar10.png
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from matplotlib.figure import Figure
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision.transforms import v2

from lit_cnn import SampleDataModule
from lit_cnn import transforms as t
from lit_cnn.keyed_random import Draws
from lit_cnn.typed_arguments import subclasses_of

TARGET = Path(__file__).parents[1] / "docs" / "augmentations.png"
SIDE, DRAWS = 32, 2
ROWS: dict[str, t.Augmentation] = {
    "RandomCrop(4)": t.RandomCrop(4),
    "RandomShift(6, 3)": t.RandomShift(6, 3),
    "TorchvisionV2(\n[v2.RandomInvert()])": t.TorchvisionV2([v2.RandomInvert()]),
    "RandomFlip()": t.RandomFlip(),
    "AlternatingFlip()": t.AlternatingFlip(),
    "RandomRotation(30)": t.RandomRotation(30),
    "RandomAffine(\n10, (0.1, 0.1),\n(0.7, 1.3), 20)": t.RandomAffine(10, (0.1, 0.1), (0.7, 1.3), 20),
    "RandAugment()": t.RandAugment(),
    "TrivialAugment()": t.TrivialAugment(),
    "ColorJitter(0.4)": t.ColorJitter(0.4),
    "ColorJitter(\ncontrast=0.6)": t.ColorJitter(contrast=0.6),
    "ColorJitter(\nsaturation=0.9)": t.ColorJitter(saturation=0.9),
    "ColorJitter(\nhue=0.3)": t.ColorJitter(hue=0.3),
    "RandomGrayscale(0.5)": t.RandomGrayscale(0.5),
    "PCANoise(0.5)": t.PCANoise(0.5),
    "Cutout(12)": t.Cutout(12),
    "RandomErasing(0.8)": t.RandomErasing(0.8),
    "Mixup()": t.Mixup(),
    "CutMix()": t.CutMix(),
}
OTHERS = [c for c in subclasses_of(t.Augmentation) if c not in map(type, ROWS.values())]
ROWS |= {f"{c.__name__}()": c() for c in OTHERS if c.__module__.startswith("lit_cnn.")}


def draw_scenes() -> list[Image.Image]:
    """Returns a house, a boat, a flower and a balloon."""
    scenes = [Image.new("RGB", (8 * SIDE, 8 * SIDE), sky) for sky in ("#9fd0f2", "#f3c48b", "#cfe8c0", "#6fa8dc")]
    house, boat, flower, balloon = (ImageDraw.Draw(scene) for scene in scenes)
    house.rectangle((0, 190, 256, 256), "#5d9c45")
    house.rectangle((60, 110, 196, 215), "#d8b48a")
    house.polygon([(44, 112), (128, 40), (212, 112)], "#b3402e")
    house.rectangle((112, 155, 146, 215), "#6b4423")
    house.rectangle((74, 130, 100, 158), "#fdf3b0")
    house.ellipse((196, 18, 240, 62), "#ffd84d")
    boat.ellipse((30, 30, 90, 90), "#f26b3a")
    boat.rectangle((0, 160, 256, 256), "#2b6c99")
    boat.polygon([(50, 165), (214, 165), (180, 208), (84, 208)], "#7a3b2e")
    boat.polygon([(130, 50), (130, 155), (206, 155)], "#fbfbf4")
    boat.polygon([(122, 70), (122, 155), (66, 155)], "#e2e2d4")
    flower.line((128, 130, 120, 256), "#3d7a35", 12)
    flower.ellipse((60, 190, 124, 222), "#4c9442")
    for x, y in ((128, 56), (180, 94), (160, 152), (96, 152), (76, 94)):
        flower.ellipse((x - 36, y - 36, x + 36, y + 36), "#c8468c")
    flower.ellipse((98, 74, 158, 134), "#f6c945")
    balloon.ellipse((60, 20, 196, 166), "#d83a3a")
    balloon.ellipse((104, 20, 152, 166), "#f5d547")
    balloon.line((86, 146, 112, 200), "#4d3b2a", 5)
    balloon.line((170, 146, 144, 200), "#4d3b2a", 5)
    balloon.rectangle((108, 198, 148, 230), "#8a5a2b")
    return [scene.resize((SIDE, SIDE), Image.Resampling.LANCZOS) for scene in scenes]


def as_pictures(images: list[Image.Image]) -> UInt8[Tensor, "n 3 h w"]:
    """Returns images as one tensor."""
    arrays = np.stack([np.asarray(image.convert("RGB").resize((SIDE, SIDE))) for image in images])
    return torch.from_numpy(arrays).permute(0, 3, 1, 2)


def own_pictures() -> UInt8[Tensor, "n 3 h w"]:
    """Returns the four scenes and a digit."""
    data = SampleDataModule()
    data.setup("test")
    digit = torch.nn.functional.pad(data.arrays("test").images[:1], (2, 2, 2, 2)).expand(-1, 3, -1, -1)
    return torch.cat([as_pictures(draw_scenes()), digit])


def of_folder(folder: Path) -> UInt8[Tensor, "n 3 h w"]:
    """Returns the first image of each of five classes."""
    paths = [next(p for p in sorted(c.iterdir()) if p.is_file()) for c in sorted(folder.iterdir())[:5]]
    return as_pictures([Image.open(path) for path in paths])


def change(augmentation: t.Augmentation, pictures: UInt8[Tensor, "n 3 h w"]) -> UInt8[Tensor, "m 3 h w"]:
    """Returns several draws of each picture, side by side."""
    augmentation.learn(pictures)
    images = pictures.repeat_interleave(DRAWS, dim=0)
    draws = Draws(seed=0, epoch=0, indices=torch.arange(len(images)), purpose=type(augmentation).__name__)
    if isinstance(augmentation, t.Mixing):
        mixed, _ = augmentation(images.float(), images.roll(DRAWS, 0).float(), draws)
        return mixed.round().byte()
    return augmentation(images, draws)


def main() -> None:
    """Writes the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="an image folder to take the pictures from, one for each class")
    parser.add_argument("--target", type=Path, default=TARGET, help="where to write")
    args = parser.parse_args()
    pictures = of_folder(args.folder) if args.folder else own_pictures()
    rows = {"as they are": pictures.repeat_interleave(DRAWS, dim=0)}
    rows |= {title: change(augmentation, pictures) for title, augmentation in ROWS.items()}
    write(rows, args.target)


def write(rows: dict[str, UInt8[Tensor, "n 3 h w"]], target: Path) -> None:
    """Writes a figure with a row of pictures below each other, each with its title."""
    figure = Figure(figsize=(1.6 + 0.9 * max(map(len, rows.values())), 0.86 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 1)
    for axis, (title, images) in zip(axes, rows.items(), strict=True):
        gap = torch.full((len(images), SIDE, 2, 3), 255, dtype=torch.uint8)
        strip = torch.cat([images.permute(0, 2, 3, 1), gap], dim=2).permute(1, 0, 2, 3).reshape(SIDE, -1, 3)
        axis.imshow(strip.numpy(), interpolation="nearest")
        axis.set_ylabel(title, rotation=0, ha="right", va="center", fontsize=10)
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    target.parent.mkdir(exist_ok=True)
    figure.savefig(target, dpi=80, bbox_inches="tight")
    print(target.name, f"{target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

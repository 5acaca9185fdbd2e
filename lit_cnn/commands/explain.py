"""Shows which pixels matter for a network's prediction: Grad-CAM, occlusion and saliency."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lit_cnn.commands.arguments import Parser, positive, run_and_images, true_class
from lit_cnn.errors import DataError, counted, printable

if TYPE_CHECKING:
    from torch import Tensor

    from lit_cnn.plots.text import Figure
    from lit_cnn.training.classifier import LitClassifier

EPILOG = """One picture is written for each image. It shows the image, the image as the network sees it, and three maps
of the predicted class:

  Grad-CAM   evidence for the class in the last feature maps (Selvaraju et al.
             2017); not for fully connected networks
  occlusion  how much the probability of the class falls when a grey square
             hides this place (Zeiler & Fergus 2014)
  saliency   size of the gradient of the class's logit at each pixel (Simonyan
             et al. 2014)

If the run's images were permuted, a second row shows the same maps with the permutation undone. If an image cannot be
read, a message names it. The others are explained, and the exit code is 3.

examples:
  python -m lit_cnn explain logs/quickstart/version_0 digit.png
  python -m lit_cnn explain logs/vgg_cifar 'test/cat/*.jpg' --output cats
"""


def main(argv: list[str]) -> None:
    """Writes the pictures."""
    parser = Parser("explain", __doc__, EPILOG)
    parser.add_run_and_images()
    parser.add_argument("--output", type=Path, default=Path("explained"), help="output folder (default explained)")
    parser.add_argument("--occlude", type=positive, help="side of the grey square in pixels (default: image / 5)")
    parser.add_inverting()
    given = parser.parse_args(argv)
    module, paths = run_and_images(given)

    from tqdm import tqdm

    from lit_cnn.data.stream import Changes, stream
    from lit_cnn.inference.polarity import Polarity

    channels, height, width = module.input_shape
    side = min(given.occlude or max(min(height, width) // 5, 1), height, width)
    targets = targets_of(paths, given.output)
    given.output.mkdir(parents=True, exist_ok=True)
    broken: dict[str, str] = {}
    changes = Changes()
    polarity = Polarity(module, given.invert)
    with tqdm(total=len(paths), desc="Explaining", unit=" images", leave=False, disable=None) as bar:
        for batch in stream(paths, channels, (height, width), batch_size=16):
            broken |= batch.broken
            for change in batch.changes.items():
                changes.add(*change)
            figures = explain(module, polarity.seen(batch.images), batch.readable, side) if batch.readable else []
            for path, figure in zip(batch.readable, figures, strict=True):
                figure.savefig(targets[path], dpi=110)
                bar.update()
    print(f"wrote {counted(len(paths) - len(broken), 'picture')} to {given.output}")
    for line in [*changes.lines(), *filter(None, [polarity.text()])]:
        print(line, file=sys.stderr)
    for path, reason in broken.items():
        print(f"BROKEN {printable(path)}: {' '.join(reason.split())}", file=sys.stderr)
    if broken:
        raise DataError(f"{len(broken)} of {len(paths)} images could not be read, as named above.")


def targets_of(paths: list[str], folder: Path) -> dict[str, Path]:
    """Returns the output file for each image: its name, with as many of its folders as make it unique."""
    whole = [os.path.splitdrive(os.path.abspath(path))[1] for path in paths]
    above = os.path.commonpath([os.path.dirname(path) for path in whole])
    names = [os.path.relpath(path, above).replace(os.sep, "_") for path in whole]
    stems = [os.path.splitext(name)[0] for name in names]
    names = stems if len(set(stems)) == len(stems) else names
    return {path: folder / f"{name}.png" for path, name in zip(paths, names, strict=True)}


def explain(module: "LitClassifier", images: "Tensor", paths: list[str], side: int) -> "list[Figure]":
    """Returns the attribution figure of each uint8 image, with occlusion squares of `side` pixels."""
    from lit_cnn.inference.attribution import grad_cam, occlusion, saliency
    from lit_cnn.plots.attribution import View, explanation

    preprocess = module.preprocess
    assert preprocess is not None
    probabilities, classes = module.predict(images).clone().max(1)
    inputs = preprocess.prepared(images)
    seen = preprocess.to_picture(inputs)
    cams = grad_cam(module, inputs, classes)
    falls = occlusion(module, inputs, classes, side, stride=max(side // 3, 1))
    slopes = saliency(module, inputs, classes)
    kinds: list[tuple[str, Callable[[Tensor], Tensor]]] = [("as the network sees it", lambda pixels: pixels)]
    if permute := preprocess.permute:
        back = lambda pixels: permute.inverse(pixels.reshape(1, -1, *pixels.shape[-2:])).reshape(pixels.shape)  # noqa: E731
        kinds.append(("the same, permutation undone", back))
    figures = []
    for i, path in enumerate(paths):
        name, truth = module.class_names[int(classes[i])], true_class(path, module.class_names)
        title = f"{printable(path)}\npredicted {name}, probability {probabilities[i]:.1%}"
        title += "" if truth is None else f", {'correct' if truth == name else f'is {truth}'}"
        cam = None if cams is None else cams[i]
        views = [
            View(kind, placed(seen[i]), None if cam is None else placed(cam), placed(falls[i]), placed(slopes[i]))
            for kind, placed in kinds
        ]
        figures.append(explanation(title, images[i], views, side))
    return figures

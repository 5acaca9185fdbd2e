"""Predictions of a run's best checkpoint on the images of a split."""

import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int64
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchmetrics.functional.classification import multiclass_confusion_matrix
from tqdm import tqdm

from lit_cnn.data.module import ImageDataModule
from lit_cnn.errors import ConfigError
from lit_cnn.inference.load import load, take_over_split
from lit_cnn.models import layer_table
from lit_cnn.plots import worst_mistakes
from lit_cnn.runs.class_paths import find_class
from lit_cnn.runs.record import Run
from lit_cnn.training.classifier import LitClassifier
from lit_cnn.training.hardware import default_device
from lit_cnn.transforms.pixels import as_bytes
from lit_cnn.transforms.views import view_of

SHOWN = 18  # maximum number of images in a gallery


@dataclass
class Predictions:
    """A network's predictions for the images of a split, in order."""

    module: LitClassifier
    data: ImageDataModule
    preds: Int64[Tensor, "n"]  # the predicted class of each image
    confidences: Float[Tensor, "n"]  # its probability
    nll: Float[Tensor, "n"]  # of the true class, in nats
    labels: Int64[Tensor, "n"]  # the true class
    split: str = "test"

    @cached_property
    def places(self) -> list[str]:
        """Name of each image: its split, and its file or its number in the split."""
        names = self.data.image_names(self.split) or map(str, range(len(self.labels)))
        return [f"{self.split}: {name}" for name in names]

    @cached_property
    def right(self) -> Bool[Tensor, "n"]:
        """Whether each prediction is right."""
        return self.preds == self.labels

    @property
    def counts(self) -> Int64[Tensor, "k k"]:
        """Confusion matrix: number of images of class i (row) predicted as class j (column)."""
        return multiclass_confusion_matrix(self.preds, self.labels, self.data.num_classes)

    def by_confidence(self, indices: Int64[Tensor, "m"]) -> Int64[Tensor, "k"]:
        """Returns the images with the highest confidence among `indices`, highest first."""
        return indices[self.confidences[indices].argsort(descending=True, stable=True)][:SHOWN]

    def most_confident(self, indices: Int64[Tensor, "m"], title: str) -> Figure:
        """Grid of the mistakes with the highest confidence, as images after the dataset's views."""
        chosen = self.by_confidence(indices)
        images = as_bytes(self.data.arrays(self.split).images_at(chosen))
        said = self.labels[chosen], self.preds[chosen], self.confidences[chosen]
        return worst_mistakes(images, *said, self.data.class_names, title)


def predict(run: Run, data_dir: Path | None = None) -> Predictions:
    """Predicts the test images with a run's best checkpoint; the data are in `data_dir`, or where its config says."""
    module = load(run.folder)
    data = _data_of(run, data_dir)
    take_over_split(run.folder, data)
    data.preprocess = module.preprocess
    data.setup("test")
    return predict_split(module, data, "test", f"{run.folder}: test images")


@torch.inference_mode()
def predict_split(module: LitClassifier, data: ImageDataModule, split: str, what: str) -> Predictions:
    """Predicts the images of a split, without augmentation; `what` is the progress bar's name."""
    module.to(default_device())
    parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    loader = data.evaluation_loader(split)
    loader.contiguous = False  # the run's memory format
    for images, labels in tqdm(loader, what, unit=" batches", leave=False, disable=None):
        logits = module.evaluate(images.to(module.device)).float().cpu()
        confidences, preds = logits.softmax(dim=1).max(dim=1)
        parts.append((preds, confidences, cross_entropy(logits, labels.cpu(), reduction="none"), labels.cpu()))
    preds, confidences, nll, labels = (torch.cat(part) for part in zip(*parts, strict=True))
    return Predictions(module.cpu(), data, preds, confidences, nll, labels, split)


def _data_of(run: Run, data_dir: Path | None) -> ImageDataModule:
    """Builds the data module of a run from its config, without augmentations."""
    settings = run.config.get("data") or {}
    path = str(settings.get("class_path", ""))
    cls = find_class(path, ImageDataModule)
    if cls is None:
        raise ConfigError(f"{run.folder} was trained on {path or 'unknown data'}, which lit_cnn does not know.")
    given = dict(settings.get("init_args") or {}) | {"augment": None}
    views = [(view["class_path"].rpartition(".")[2], view.get("init_args") or {}) for view in given.get("views") or []]
    try:
        given["views"] = [view_of({"view": name, **arguments}) for name, arguments in views]
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if data_dir is not None and "data_dir" in given:
        given["data_dir"] = str(data_dir)
    return cls(**given)


def macs_of(module: LitClassifier) -> int | None:
    """Returns the MACs of a network for one image, or None if they cannot be counted."""
    try:
        return layer_table.macs_of(copy.deepcopy(module.net).to("meta"), module.input_shape)
    except (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError):
        return None

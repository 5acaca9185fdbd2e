"""Experiments with convolutional networks on small images.

What others import is listed in `__all__`; each name is loaded when it is first used, so that importing the
package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lit_cnn import models
    from lit_cnn.architectures import LitCNN, LitLeNet, LitMLP, LitVGG
    from lit_cnn.checkpoints import load
    from lit_cnn.classifiers import LitClassifier
    from lit_cnn.data.base import ImageDataModule
    from lit_cnn.data.modules import (
        CIFAR10DataModule,
        ImageFolderDataModule,
        MNISTDataModule,
        SampleDataModule,
        SyntheticDataModule,
    )
    from lit_cnn.transforms import (
        ColorJitter,
        CutMix,
        Cutout,
        Mixup,
        PCANoise,
        PixelPermutation,
        RandAugment,
        RandomAffine,
        RandomCrop,
        RandomErasing,
        RandomFlip,
        RandomGrayscale,
        RandomRotation,
        TrivialAugment,
    )

_HOMES = {
    "lit_cnn.architectures": ["LitCNN", "LitLeNet", "LitMLP", "LitVGG"],
    "lit_cnn.checkpoints": ["load"],
    "lit_cnn.classifiers": ["LitClassifier"],
    "lit_cnn.data.base": ["ImageDataModule"],
    "lit_cnn.data.modules": [
        "CIFAR10DataModule",
        "ImageFolderDataModule",
        "MNISTDataModule",
        "SampleDataModule",
        "SyntheticDataModule",
    ],
    "lit_cnn.transforms": [
        "ColorJitter",
        "CutMix",
        "Cutout",
        "Mixup",
        "PCANoise",
        "PixelPermutation",
        "RandAugment",
        "RandomAffine",
        "RandomCrop",
        "RandomErasing",
        "RandomFlip",
        "RandomGrayscale",
        "RandomRotation",
        "TrivialAugment",
    ],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__version__ = "0.1.0"
__all__ = [
    "CIFAR10DataModule",
    "ColorJitter",
    "CutMix",
    "Cutout",
    "ImageDataModule",
    "ImageFolderDataModule",
    "LitCNN",
    "LitClassifier",
    "LitLeNet",
    "LitMLP",
    "LitVGG",
    "MNISTDataModule",
    "Mixup",
    "PCANoise",
    "PixelPermutation",
    "RandAugment",
    "RandomAffine",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "RandomGrayscale",
    "RandomRotation",
    "SampleDataModule",
    "SyntheticDataModule",
    "TrivialAugment",
    "load",
    "models",
]


def __getattr__(name: str) -> Any:
    if name == "models":
        return import_module("lit_cnn.models")
    if name in _HOME_OF:
        return getattr(import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module 'lit_cnn' has no attribute {name!r}")

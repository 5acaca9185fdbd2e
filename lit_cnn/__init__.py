"""Experiments with convolutional networks on small images.

What others import is listed in `__all__`; each name is loaded when it is first used, so that importing the
package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lit_cnn import models
    from lit_cnn.callbacks.averaging import EMA
    from lit_cnn.data.datasets import (
        CIFAR10DataModule,
        CIFAR100DataModule,
        FashionMNISTDataModule,
        ImageFolderDataModule,
        KMNISTDataModule,
        MNISTDataModule,
        SampleDataModule,
        SVHNDataModule,
    )
    from lit_cnn.data.module import ImageDataModule
    from lit_cnn.data.synthetic_module import SyntheticDataModule
    from lit_cnn.inference.load import load
    from lit_cnn.runs.checkpoint_io import SafeCheckpointIO
    from lit_cnn.training.architectures import (
        LitAlexNet,
        LitCIFARResNet,
        LitCNN,
        LitDilatedCNN,
        LitGoogLeNet,
        LitInceptionV2,
        LitInceptionV3,
        LitLeNet,
        LitMLP,
        LitPointwiseCNN,
        LitPreActResNet,
        LitResNet,
        LitVGG,
        LitZFNet,
    )
    from lit_cnn.training.classifier import LitClassifier
    from lit_cnn.transforms import (
        AlternatingFlip,
        ColorJitter,
        CutMix,
        Cutout,
        HighPass,
        LowPass,
        Mixup,
        PCANoise,
        PhaseScramble,
        PixelPermutation,
        RandAugment,
        RandomAffine,
        RandomCrop,
        RandomErasing,
        RandomFlip,
        RandomGrayscale,
        RandomRotation,
        RandomShift,
        ShuffleChannels,
        ShufflePixels,
        Translate,
        TrivialAugment,
    )

_HOMES = {
    "lit_cnn.training.architectures": [
        "LitAlexNet",
        "LitCIFARResNet",
        "LitCNN",
        "LitDilatedCNN",
        "LitGoogLeNet",
        "LitInceptionV2",
        "LitInceptionV3",
        "LitLeNet",
        "LitMLP",
        "LitPointwiseCNN",
        "LitPreActResNet",
        "LitResNet",
        "LitVGG",
        "LitZFNet",
    ],
    "lit_cnn.callbacks.averaging": ["EMA"],
    "lit_cnn.runs.checkpoint_io": ["SafeCheckpointIO"],
    "lit_cnn.inference.load": ["load"],
    "lit_cnn.training.classifier": ["LitClassifier"],
    "lit_cnn.data.module": ["ImageDataModule"],
    "lit_cnn.data.datasets": [
        "CIFAR100DataModule",
        "CIFAR10DataModule",
        "FashionMNISTDataModule",
        "ImageFolderDataModule",
        "KMNISTDataModule",
        "MNISTDataModule",
        "SVHNDataModule",
        "SampleDataModule",
    ],
    "lit_cnn.data.synthetic_module": ["SyntheticDataModule"],
    "lit_cnn.transforms": [
        "AlternatingFlip",
        "ColorJitter",
        "CutMix",
        "Cutout",
        "HighPass",
        "LowPass",
        "Mixup",
        "PCANoise",
        "PhaseScramble",
        "PixelPermutation",
        "RandAugment",
        "RandomAffine",
        "RandomCrop",
        "RandomErasing",
        "RandomFlip",
        "RandomGrayscale",
        "RandomRotation",
        "RandomShift",
        "ShuffleChannels",
        "ShufflePixels",
        "Translate",
        "TrivialAugment",
    ],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__version__ = "0.1.0"
__all__ = [
    "EMA",
    "AlternatingFlip",
    "CIFAR10DataModule",
    "CIFAR100DataModule",
    "ColorJitter",
    "CutMix",
    "Cutout",
    "FashionMNISTDataModule",
    "HighPass",
    "ImageDataModule",
    "ImageFolderDataModule",
    "KMNISTDataModule",
    "LitAlexNet",
    "LitCIFARResNet",
    "LitCNN",
    "LitClassifier",
    "LitDilatedCNN",
    "LitGoogLeNet",
    "LitInceptionV2",
    "LitInceptionV3",
    "LitLeNet",
    "LitMLP",
    "LitPointwiseCNN",
    "LitPreActResNet",
    "LitResNet",
    "LitVGG",
    "LitZFNet",
    "LowPass",
    "MNISTDataModule",
    "Mixup",
    "PCANoise",
    "PhaseScramble",
    "PixelPermutation",
    "RandAugment",
    "RandomAffine",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "RandomGrayscale",
    "RandomRotation",
    "RandomShift",
    "SVHNDataModule",
    "SafeCheckpointIO",
    "SampleDataModule",
    "ShuffleChannels",
    "ShufflePixels",
    "SyntheticDataModule",
    "Translate",
    "TrivialAugment",
    "load",
    "models",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name == "models":
        return import_module("lit_cnn.models")
    if name in _HOME_OF:
        return getattr(import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module 'lit_cnn' has no attribute {name!r}")

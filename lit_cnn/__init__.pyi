# The public names, each with its home. `__init__.py` reads them here, and so do editors and type checkers.

from . import models as models
from .callbacks.averaging import EMA as EMA
from .callbacks.lookahead import Lookahead as Lookahead
from .data.datasets import (
    CIFAR100DataModule as CIFAR100DataModule,
    CIFAR10DataModule as CIFAR10DataModule,
    FashionMNISTDataModule as FashionMNISTDataModule,
    KMNISTDataModule as KMNISTDataModule,
    MNISTDataModule as MNISTDataModule,
    SVHNDataModule as SVHNDataModule,
    SampleDataModule as SampleDataModule,
)
from .data.module import ImageDataModule as ImageDataModule
from .data.own_images import ImageFolderDataModule as ImageFolderDataModule
from .data.synthetic_module import SyntheticDataModule as SyntheticDataModule
from .inference.load import load as load
from .runs.checkpoint_io import SafeCheckpointIO as SafeCheckpointIO
from .training.architectures import (
    LitAirbench as LitAirbench,
    LitAlexNet as LitAlexNet,
    LitCIFARResNet as LitCIFARResNet,
    LitCNN as LitCNN,
    LitDilatedCNN as LitDilatedCNN,
    LitGoogLeNet as LitGoogLeNet,
    LitInceptionV2 as LitInceptionV2,
    LitInceptionV3 as LitInceptionV3,
    LitLeNet as LitLeNet,
    LitMLP as LitMLP,
    LitPointwiseCNN as LitPointwiseCNN,
    LitPreActResNet as LitPreActResNet,
    LitResNet as LitResNet,
    LitVGG as LitVGG,
    LitZFNet as LitZFNet,
)
from .training.classifier import LitClassifier as LitClassifier
from .transforms import (
    AlternatingFlip as AlternatingFlip,
    ColorJitter as ColorJitter,
    CutMix as CutMix,
    Cutout as Cutout,
    HighPass as HighPass,
    LowPass as LowPass,
    Mixup as Mixup,
    PCANoise as PCANoise,
    PhaseScramble as PhaseScramble,
    PixelPermutation as PixelPermutation,
    RandAugment as RandAugment,
    RandomAffine as RandomAffine,
    RandomCrop as RandomCrop,
    RandomErasing as RandomErasing,
    RandomFlip as RandomFlip,
    RandomGrayscale as RandomGrayscale,
    RandomRotation as RandomRotation,
    RandomShift as RandomShift,
    ShuffleChannels as ShuffleChannels,
    ShufflePixels as ShufflePixels,
    TorchvisionV2 as TorchvisionV2,
    Translate as Translate,
    TrivialAugment as TrivialAugment,
)

__version__: str

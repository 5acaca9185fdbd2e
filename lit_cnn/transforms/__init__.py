"""What happens to images between memory and network, on whole batches."""

from lit_cnn.transforms.augment import Augmentation, Stage
from lit_cnn.transforms.colour import ColorJitter, PCANoise, RandomGrayscale
from lit_cnn.transforms.erasing import Cutout, RandomErasing
from lit_cnn.transforms.geometry import RandomAffine, RandomRotation
from lit_cnn.transforms.mixing import CutMix, Mixing, Mixup
from lit_cnn.transforms.permutation import PixelPermutation
from lit_cnn.transforms.placement import AlternatingFlip, RandomCrop, RandomFlip, RandomShift
from lit_cnn.transforms.policies import RandAugment, TrivialAugment
from lit_cnn.transforms.preprocess import Preprocess

__all__ = [
    "AlternatingFlip",
    "Augmentation",
    "ColorJitter",
    "CutMix",
    "Cutout",
    "Mixing",
    "Mixup",
    "PCANoise",
    "PixelPermutation",
    "Preprocess",
    "RandAugment",
    "RandomAffine",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "RandomGrayscale",
    "RandomRotation",
    "RandomShift",
    "Stage",
    "TrivialAugment",
]

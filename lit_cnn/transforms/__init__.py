"""What happens to images between memory and network, on whole batches."""

from lit_cnn.transforms.augment import Augmentation
from lit_cnn.transforms.permutation import PixelPermutation
from lit_cnn.transforms.placement import AlternatingFlip, RandomCrop, RandomFlip, RandomShift
from lit_cnn.transforms.preprocess import Preprocess

__all__ = [
    "AlternatingFlip",
    "Augmentation",
    "PixelPermutation",
    "Preprocess",
    "RandomCrop",
    "RandomFlip",
    "RandomShift",
]

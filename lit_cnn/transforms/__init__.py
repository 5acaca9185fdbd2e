"""What happens to images between memory and network, on whole batches."""

from lit_cnn.transforms.augment import Augmentation, RandomCrop, RandomFlip
from lit_cnn.transforms.permutation import PixelPermutation
from lit_cnn.transforms.preprocess import Preprocess

__all__ = ["Augmentation", "PixelPermutation", "Preprocess", "RandomCrop", "RandomFlip"]

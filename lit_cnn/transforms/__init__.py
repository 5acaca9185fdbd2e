"""Image transforms on whole batches: normalisation, augmentation, pixel permutation and fixed views."""

from lit_cnn.transforms.augment import Augmentation, Stage
from lit_cnn.transforms.colour import ColorJitter, PCANoise, RandomGrayscale
from lit_cnn.transforms.erasing import Cutout, RandomErasing
from lit_cnn.transforms.frequencies import HighPass, LowPass, PhaseScramble
from lit_cnn.transforms.geometry import RandomAffine, RandomRotation
from lit_cnn.transforms.mixing import CutMix, Mixing, Mixup
from lit_cnn.transforms.permutation import PixelPermutation
from lit_cnn.transforms.placement import AlternatingFlip, RandomCrop, RandomFlip, RandomShift
from lit_cnn.transforms.policies import RandAugment, TrivialAugment
from lit_cnn.transforms.preprocess import Preprocess
from lit_cnn.transforms.torchvision_v2 import TorchvisionV2
from lit_cnn.transforms.views import ShuffleChannels, ShufflePixels, Translate, View

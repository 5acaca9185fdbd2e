"""Sample dataset: 5,000 digits of MNIST that come with the package."""

from pathlib import Path

import numpy as np
import torch

from lit_cnn.data.arrays import Arrays

PATH = Path(__file__).parents[1] / "sample" / "mnist_5000.npz"
TRAIN_IMAGES = 4000


def read(split: str) -> Arrays:
    """Reads 400 training digits or 100 test digits of each class."""
    with np.load(PATH) as file:
        images, labels = torch.from_numpy(file["images"]), torch.from_numpy(file["labels"])
    part = slice(None, TRAIN_IMAGES) if split == "train" else slice(TRAIN_IMAGES, None)
    return Arrays(images[part].unsqueeze(1).clone(), labels[part].long())

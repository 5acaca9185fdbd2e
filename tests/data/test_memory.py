"""Images that do not fit into memory are refused before they are read."""

import pytest
import torch

from lit_cnn import ImageFolderDataModule, SampleDataModule, SyntheticDataModule
from lit_cnn.data.images import resized
from lit_cnn.errors import ConfigError


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            lambda folder: SampleDataModule(image_size=100_000),
            "4,000 images of 100000 x 100000 pixels need 40,000 GB of memory, but .* GB are free.\n"
            "Use a smaller --data.image_size.$",
        ),
        (
            lambda folder: SyntheticDataModule(train_images=10**12),
            "need 3,072,000 GB of memory, but .* a smaller --data.train_images",
        ),
        (
            lambda folder: ImageFolderDataModule(data_dir=folder, image_size=10**6, cache=False),
            "36 images of 1000000 x 1000000 pixels .* or remove --data.cache false",
        ),
    ],
)
def test_images_larger_than_memory_are_refused(image_folder, data, said):
    with pytest.raises(ConfigError, match=f"(?s){said}"):
        data(image_folder).setup("fit")


def test_images_as_large_as_memory_are_resized(monkeypatch):
    class Free:
        available = 3 * 16

    monkeypatch.setattr("psutil.virtual_memory", Free)
    images = torch.zeros(3, 1, 8, 8, dtype=torch.uint8)
    assert resized(images, (4, 4)).shape == (3, 1, 4, 4)
    with pytest.raises(ConfigError, match="3 images of 4 x 5 pixels"):
        resized(images, (4, 5))

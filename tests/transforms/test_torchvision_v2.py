"""torchvision.transforms.v2 as an augmentation: what it does is theirs, seeded for each image; misfits are refused."""

import pytest
import torch
import yaml
from torchvision.transforms import v2

from lit_cnn import TorchvisionV2
from tests.conftest import SMALL, assert_like_an_augmentation


def test_transforms_are_torchvisions_one_image_at_a_time(colours, draws):
    augment = TorchvisionV2([v2.RandomRotation(20), v2.ColorJitter(0.5)])
    before = torch.get_rng_state()
    assert_like_an_augmentation(augment, colours, draws)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(TorchvisionV2([v2.RandomHorizontalFlip(1.0)])(colours, draws), colours.flip(-1))


@pytest.mark.parametrize(
    ("transform", "match"),
    [
        (v2.ToDtype(torch.float32, scale=True), r"ToDtype turns images of uint8 \[3, 8, 6\] into torch.float32"),
        (v2.Resize((4, 4)), r"Resize turns .* into torch.uint8 \[3, 4, 4\].*\n.*Normalize: "),
        (v2.Normalize([0.5], [0.5]), "Normalize does not work on images of uint8"),
    ],
)
def test_transforms_that_change_type_or_shape_are_refused(transform, match):
    with pytest.raises(ValueError, match=match):
        TorchvisionV2([transform]).check((8, 6), 3)


def test_a_config_names_transforms(lit_cnn, tmp_path):
    flip = {"class_path": "torchvision.transforms.v2.RandomHorizontalFlip", "init_args": {"p": 1.0}}
    augment = [{"class_path": "TorchvisionV2", "init_args": {"transforms": [flip]}}]
    config = {"data": {"init_args": {"augment": augment}}, "pictures": {"enabled": False}}
    (tmp_path / "v2.yaml").write_text(yaml.safe_dump(config))
    outcome = lit_cnn("fit", "--model", "LitMLP", *SMALL, "--config", "v2.yaml")
    assert outcome.code == 0, outcome.err
    again = lit_cnn("fit", "--config", "logs/v2/version_0/config.yaml")
    assert again.code == 0, again.err

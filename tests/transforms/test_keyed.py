"""Every augmentation is a function of the image, seed, epoch and index, bit for bit."""

from types import SimpleNamespace

import pytest
import torch
from torchvision.transforms import v2

from lit_cnn import SyntheticDataModule
from lit_cnn.transforms import Augmentation, ColorJitter, PCANoise, RandomAffine, TorchvisionV2, View
from lit_cnn.typed_arguments import subclasses_of

EPOCH = 3
# With other arguments than their own, by which they would change nothing or hardly anything.
BUILT = {
    "ColorJitter": lambda: ColorJitter(0.4, 0.4, 0.4, 0.2),
    "PCANoise": lambda: PCANoise(1.0),
    "RandomAffine": lambda: RandomAffine(20, (0.1, 0.2), (0.8, 1.2), 10),
    "TorchvisionV2": lambda: TorchvisionV2([v2.RandomRotation(20), v2.ColorJitter(0.4)]),
}
OURS = [c for c in subclasses_of(Augmentation) if c.__module__.startswith("lit_cnn.")]


def module(augment, batch_size, seed=5):
    data = SyntheticDataModule(train_images=50, val_size=0, batch_size=batch_size, augment=augment, seed=seed)
    data.setup("fit")
    return data


def by_index(augment, batch_size, devices=1, epoch=EPOCH, seed=5):
    """Inputs and targets of each image, as the loaders of some devices yield them."""
    found = {}
    for rank in range(devices):
        data = module(augment, batch_size, seed)
        data.trainer = SimpleNamespace(
            global_rank=rank,
            world_size=devices,
            overfit_batches=0,
            state=SimpleNamespace(status="running"),
            lightning_module=SimpleNamespace(channels_last=True),
            strategy=SimpleNamespace(root_device=torch.device("cpu")),
        )
        loader = data.train_dataloader()
        loader.sampler.set_epoch(epoch)
        for indices, (inputs, targets) in zip(list(loader.sampler), loader, strict=True):
            found |= {int(i): (x, y) for i, x, y in zip(indices, inputs, targets, strict=True)}
    return found


def equal(some, others):
    return [
        torch.equal(some[i][0], others[i][0]) and torch.equal(some[i][1], others[i][1]) for i in some if i in others
    ]


@pytest.mark.parametrize("cls", OURS, ids=lambda cls: cls.__name__)
def test_an_image_is_changed_alike_in_whatever_batch_on_however_many_devices(cls):
    def built():
        return [BUILT.get(cls.__name__, cls)()]

    whole = by_index(built(), 48)
    assert not all(equal(whole, by_index([], 48)))
    for other in (by_index(built(), 7), by_index(built(), 1), by_index(built(), 16, devices=3)):
        compared = equal(whole, other)
        assert len(compared) > 40
        assert all(compared)
    assert not all(equal(whole, by_index(built(), 48, epoch=EPOCH + 1)))
    if cls.__name__ != "AlternatingFlip":  # which tosses its coins once, by the seed
        assert not all(equal(whole, by_index(built(), 48, epoch=EPOCH + 2)))
    assert not all(equal(whole, by_index(built(), 48, seed=6)))


def test_several_augmentations_together_are_keyed_too():
    def built():
        return [BUILT.get(cls.__name__, cls)() for cls in OURS]

    whole = by_index(built(), 48)
    for other in (by_index(built(), 7), by_index(built(), 16, devices=3)):
        assert all(equal(whole, other))


@pytest.mark.parametrize("cls", subclasses_of(View), ids=lambda cls: cls.__name__)
def test_a_view_shows_an_image_alike_among_whichever_others(cls):
    images = module([], 10).arrays("train").images
    n = torch.arange(len(images))
    view = cls(4) if "cutoff" in cls.__init__.__code__.co_varnames else cls()
    whole = view(images, n, "test")
    assert not whole.equal(images)
    assert torch.cat([view(images[i], i, "test") for i in n.split(13)]).equal(whole)
    assert view(images[37:38], n[37:38], "test").equal(whole[37:38])

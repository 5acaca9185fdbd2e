import pytest
import torch

from lit_cnn.data import batches, loader
from lit_cnn.data.arrays import Arrays, channel_statistics
from lit_cnn.data.batches import BatchMaker
from lit_cnn.data.loader import ArrayLoader
from lit_cnn.data.order import BatchOrder, balance
from lit_cnn.data.splits import Split, stratified_split
from lit_cnn.errors import DataError
from lit_cnn.transforms import Augmentation, Preprocess


class Invert(Augmentation):
    def __call__(self, images, draws):
        return 255 - images


AS_THEY_ARE = Preprocess([0.0], [1 / 255], (1, 1))


def numbered(n):
    """Returns images of one pixel, whose grey level is their number."""
    return Arrays(torch.arange(n, dtype=torch.uint8).reshape(n, 1, 1, 1), torch.arange(n))


def cut(n, batch_size, training, rank=0, devices=1, seed=0, epoch=0):
    order = BatchOrder(n, batch_size, training, seed, rank, devices)
    order.set_epoch(epoch)
    found = [b.tolist() for b in order]
    assert len(found) == len(order)
    return found


def test_training_order_is_new_each_epoch_and_repeatable():
    first = cut(100, 10, True)
    assert sorted(sum(first, [])) == list(range(100))
    assert first == cut(100, 10, True)
    assert first != cut(100, 10, True, epoch=1)
    assert first != cut(100, 10, True, seed=1)


def test_evaluation_keeps_the_order():
    assert sum(cut(25, 10, False), []) == list(range(25))


@pytest.mark.parametrize("devices", [1, 2, 3])
@pytest.mark.parametrize("n", [1, 7, 24, 25, 26, 100, 10_007])
def test_evaluation_sees_each_image_once_on_any_number_of_devices(n, devices):
    shares = [cut(n, 4, False, rank, devices) for rank in range(devices)]
    assert sorted(i for share in shares for b in share for i in b) == list(range(n))
    assert len({len(share) for share in shares}) == 1  # a device with fewer batches would make the others wait
    if n >= devices:
        assert all(b for share in shares for b in share)


@pytest.mark.parametrize("n", [24, 25, 27, 28, 29, 31, 100])
@pytest.mark.parametrize("devices", [2, 4])
def test_devices_share_the_global_batches_of_one(n, devices):
    one = cut(n, 8, True)
    shares = [cut(n, 8 // devices, True, rank, devices) for rank in range(devices)]
    joined = [sum(parts, []) for parts in zip(*shares, strict=True)]
    left_out = 0 < n % 8 < 2 * devices  # one image of a batch is not enough for a device
    assert joined == (one[: n // 8] if left_out else one)
    for batch, parts in enumerate(zip(*shares, strict=True)):
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        for rank, part in enumerate(parts):
            first, images, total = BatchOrder(n, 8 // devices, True, 0, rank, devices).share(batch)
            assert one[batch][first : first + images] == part
            assert total == len(one[batch])


@pytest.mark.parametrize(("n", "sizes"), [(130, [64, 64, 2]), (129, [64, 64]), (128, [64, 64]), (30, [30])])
def test_training_leaves_out_a_last_batch_of_one(n, sizes):
    assert [len(b) for b in cut(n, 64, True)] == sizes


@pytest.mark.parametrize("group_bytes", [1, 4 * 6 * 4, 2**20])
def test_loader_yields_the_sampler_s_batches_in_groups_of_any_size(monkeypatch, group_bytes):
    monkeypatch.setattr(batches, "GROUP_BYTES", group_bytes)
    order = BatchOrder(20, 6, True)
    order.set_epoch(3)
    epochs = []

    class Noted(Invert):
        def __call__(self, images, draws):
            epochs.append(draws.epoch)
            return super().__call__(images, draws)

    seen = list(ArrayLoader(BatchMaker(numbered(20), AS_THEY_ARE, [Noted()]), order))
    assert [labels.tolist() for _, labels in seen] == [b.tolist() for b in order]
    assert [images.flatten().tolist() for images, _ in seen] == [(255 - b).tolist() for b in order]
    assert set(epochs) == {3}


def test_a_part_shares_the_memory_of_the_whole():
    whole = Arrays(torch.arange(24, dtype=torch.uint8).reshape(2, 3, 2, 2).repeat(5, 1, 1, 1), torch.arange(10))
    part = whole.part(torch.tensor([7, 2, 5])).part(torch.tensor([2, 0]))
    assert part.stored_images is whole.stored_images  # which `resident` moves once
    assert part.stored_images.data_ptr() == whole.stored_images.data_ptr()
    assert part.labels.tolist() == [5, 7]
    images, labels = part.gather(torch.tensor([1, 1, 0]))
    assert labels.tolist() == [7, 7, 5]
    assert torch.equal(images, whole.images[[7, 7, 5]])
    assert torch.equal(part.images, whole.images[[5, 7]])
    assert len(part) == 2


def test_split_is_stratified_seeded_and_exact():
    labels = torch.tensor([0] * 50 + [1] * 30 + [2] * 21)[torch.randperm(101)]
    kept, held = stratified_split(labels, 10, seed=0)
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(101))
    assert torch.bincount(labels[held]).tolist() == [5, 3, 2]
    assert torch.equal(held, stratified_split(labels, 10, seed=0)[1])
    assert not torch.equal(held, stratified_split(labels, 10, seed=1)[1])
    assert len(stratified_split(labels, 0, seed=0)[1]) == 0


def test_statistics_equal_those_of_the_pixels():
    images = torch.randint(0, 256, (11, 3, 5, 4), dtype=torch.uint8)
    mean, std = channel_statistics(images)
    pixels = images.double() / 255
    assert mean == pytest.approx(pixels.mean(dim=(0, 2, 3)).tolist())
    assert std == pytest.approx(pixels.std(dim=(0, 2, 3), unbiased=False).tolist())


def test_arrays_refuse_labels_of_another_number():
    with pytest.raises(DataError, match="3 images, but 2 labels"):
        Arrays(torch.zeros(3, 1, 2, 2, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64))


def evaluated(made, n=20, training=False):
    """Returns a loader, which notes in a list how many images were made at once."""

    class Noting(BatchMaker):
        def groups(self, indices, epoch=None):
            for group in super().groups(indices, epoch):
                made.append(sum(group[2]))
                yield group

    return ArrayLoader(Noting(numbered(n), AS_THEY_ARE), BatchOrder(n, 6, training), keep=True)


def test_loader_makes_the_batches_of_an_evaluation_once():
    made = []
    loader_ = evaluated(made)
    with torch.inference_mode():
        first, second = (torch.cat([x for x, _ in loader_]) for _ in range(2))
    assert first.equal(second)
    assert sum(made) == 20
    training = evaluated(made, training=True)
    assert not torch.cat([x for x, _ in training]).equal(first)
    assert len(list(training)) == 4
    assert sum(made) == 60


def test_loader_makes_them_again_after_a_network_worked_in_place():
    loader_ = evaluated([])
    with torch.inference_mode():
        for inputs, _ in loader_:
            inputs.mul_(-1)
        assert torch.cat([x for x, _ in loader_]).flatten().tolist() == list(range(20))


def test_loader_keeps_nothing_that_is_large(monkeypatch):
    monkeypatch.setattr(loader, "KEPT_BYTES", 4 * 20 - 1)
    made = []
    loader_ = evaluated(made)
    assert len(list(loader_)) == len(list(loader_)) == 4
    assert made == [20, 20]


UNBALANCED = torch.tensor([0] * 40 + [1] * 10 + [2] * 3)


def test_balanced_sampling_draws_each_class_as_often_and_each_image_as_often_as_the_others_of_its_class():
    for epoch in (0, 1):
        drawn = balance(UNBALANCED, seed=0, epoch=epoch)
        assert len(drawn) == len(drawn.unique()) == 53
        images = drawn % 53
        assert sorted(UNBALANCED[images].bincount().tolist()) == [17, 18, 18]
        for c in range(3):
            times = images[UNBALANCED[images] == c].bincount(minlength=53)[c == UNBALANCED]
            assert times.max() - times.min() <= 1
    assert torch.equal(drawn, balance(UNBALANCED, seed=0, epoch=1))
    assert not torch.equal(drawn, balance(UNBALANCED, seed=1, epoch=1))


@pytest.mark.parametrize("devices", [1, 3])
def test_balanced_batches_are_those_of_one_device_and_copies_are_augmented_differently(devices):
    class Noted(Augmentation):
        drawn: list = []

        def __call__(self, images, draws):
            self.drawn.append(draws.indices)
            return images

    arrays, noted = Arrays(torch.arange(53, dtype=torch.uint8)[:, None, None, None], UNBALANCED), Noted()
    noted.drawn.clear()
    seen = []
    for rank in range(devices):
        order = BatchOrder(53, 18 // devices, True, 0, rank, devices, balanced=UNBALANCED)
        seen += list(ArrayLoader(BatchMaker(arrays, AS_THEY_ARE, [noted], copies=True), order))
    drawn, labels = torch.cat(noted.drawn), torch.cat([labels for _, labels in seen])
    assert sorted(drawn.tolist()) == sorted(balance(UNBALANCED, 0, 0).tolist())
    assert torch.equal(torch.cat([inputs.flatten() for inputs, _ in seen]).round().long(), drawn % 53)
    assert torch.equal(UNBALANCED[drawn % 53], labels)


def test_folds_test_each_image_once_and_are_stratified():
    labels = torch.arange(103) % 7
    parts = [Split(val_size=0.1, fold=(number, 5), seed=3).draw(labels) for number in range(1, 6)]
    assert sorted(torch.cat([part["test"] for part in parts]).tolist()) == list(range(103))
    for part in parts:
        assert sorted(torch.cat(list(part.values())).tolist()) == list(range(103))
        assert set(labels[part["test"]].bincount(minlength=7).tolist()) <= {2, 3}


def test_folds_keep_groups_together():
    labels, groups = torch.arange(102) % 2, torch.arange(102) // 3
    tested = [Split(fold=(number, 4)).draw(labels, groups)["test"] for number in range(1, 5)]
    assert sorted(torch.cat(tested).tolist()) == list(range(102))
    assert sum(len(groups[positions].unique()) for positions in tested) == 34
    assert {len(positions) for positions in tested} <= {24, 27}

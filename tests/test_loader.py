import pytest
import torch

from lit_cnn.data.arrays import Arrays, channel_statistics, stratified_split
from lit_cnn.data.loader import ArrayLoader, BatchOrder
from lit_cnn.errors import DataError


def batches(n, batch_size, training, rank=0, devices=1, seed=0, epoch=0):
    order = BatchOrder(n, batch_size, training, seed, rank, devices)
    order.set_epoch(epoch)
    found = [b.tolist() for b in order]
    assert len(found) == len(order)
    return found


def test_training_order_is_new_each_epoch_and_repeatable():
    first = batches(100, 10, True)
    assert sorted(sum(first, [])) == list(range(100))
    assert first == batches(100, 10, True)
    assert first != batches(100, 10, True, epoch=1)
    assert first != batches(100, 10, True, seed=1)


def test_evaluation_keeps_the_order():
    assert sum(batches(25, 10, False), []) == list(range(25))


@pytest.mark.parametrize("devices", [1, 2, 3])
@pytest.mark.parametrize("n", [1, 7, 24, 25, 26, 100, 10_007])
def test_evaluation_sees_each_image_once_on_any_number_of_devices(n, devices):
    shares = [batches(n, 4, False, rank, devices) for rank in range(devices)]
    assert sorted(i for share in shares for b in share for i in b) == list(range(n))
    assert len({len(share) for share in shares}) == 1  # a device with fewer batches would make the others wait
    if n >= devices:
        assert all(b for share in shares for b in share)


@pytest.mark.parametrize("n", [24, 25, 31, 100])
def test_devices_share_the_global_batches_of_one(n):
    one = batches(n, 8, True)
    shares = [batches(n, 4, True, rank, 2) for rank in range(2)]
    joined = [sum(parts, []) for parts in zip(*shares, strict=True)]
    full = n // 8
    assert joined[:full] == one[:full]
    assert all(len({len(p) for p in parts}) == 1 for parts in zip(*shares, strict=True))


@pytest.mark.parametrize(("n", "sizes"), [(130, [64, 64, 2]), (129, [64, 64]), (128, [64, 64]), (30, [30])])
def test_training_leaves_out_a_last_batch_of_one(n, sizes):
    assert [len(b) for b in batches(n, 64, True)] == sizes


def test_loader_gathers():
    arrays = Arrays(torch.arange(20, dtype=torch.uint8).reshape(20, 1, 1, 1), torch.arange(20))
    for batch in ArrayLoader(arrays, BatchOrder(20, 6, True)):
        assert batch.images.flatten().tolist() == batch.labels.tolist() == batch.indices.tolist()


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

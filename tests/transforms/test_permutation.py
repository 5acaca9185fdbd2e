from itertools import permutations

import pytest
import torch

import lit_cnn
from lit_cnn.errors import ConfigError
from lit_cnn.experiments.grid import read_experiment
from lit_cnn.inference.load import take_over_preprocessing
from lit_cnn.keyed_random import permutation
from lit_cnn.transforms import PixelPermutation
from lit_cnn.transforms.permutation import derangement

H, W, K = 8, 12, 4
GOLDEN = {
    "pixels": [30, 38, 47, 14, 51, 50, 0, 19],
    "blocks": [36, 37, 38, 39, 4, 5, 6, 7],
    "deranged_blocks": [36, 37, 38, 39, 32, 33, 34, 35],
    "within_blocks": [19, 25, 24, 10, 23, 29, 28, 14],
    "rows": [40, 41, 42, 43, 44, 45, 46, 47],
    "columns": [5, 7, 3, 0, 4, 1, 2, 6],
}
IMAGES = torch.arange(2 * 3 * H * W).view(2, 3, H, W)


def by_loops(image, kind):
    """One image [h, w] with its pixels moved, one by one."""
    moved = torch.empty_like(image)
    for i in range(H):
        for j in range(W):
            down, right = i // K, j // K
            if kind == "rows":
                source = int(permutation(H, 5, "row permutation")[i]), j
            elif kind == "columns":
                source = i, int(permutation(W, 5, "column permutation")[j])
            elif kind == "blocks":
                block = int(permutation((H // K) * (W // K), 5, "block permutation")[down * (W // K) + right])
                source = block // (W // K) * K + i % K, block % (W // K) * K + j % K
            else:
                place = int(permutation(K * K, 5, "permutation within blocks")[i % K * K + j % K])
                source = down * K + place // K, right * K + place % K
            moved[i, j] = image[source]
    return moved


@pytest.mark.parametrize("kind", ["rows", "columns", "blocks", "within_blocks"])
def test_each_kind_moves_pixels_as_plain_loops_do_and_back(kind):
    permute = PixelPermutation((H, W), seed=5, kind=kind, block=K)
    moved = permute(IMAGES)
    assert not moved.equal(IMAGES)
    assert moved.equal(torch.stack([torch.stack([by_loops(c, kind) for c in image]) for image in IMAGES]))
    assert permute.inverse(moved).equal(IMAGES)


def test_the_dial_goes_from_single_pixels_to_the_image_itself():
    square = IMAGES[..., :8]
    assert PixelPermutation((8, 8), kind="deranged_blocks", block=8)(square).equal(square)
    neighbours = []
    for block in (1, 2, 4, 8):
        order = PixelPermutation((8, 8), kind="deranged_blocks", block=block).order.view(8, 8)
        neighbours.append(float((order[:, 1:] - order[:, :-1] == 1).float().mean()))  # that were so before
    assert neighbours == sorted(neighbours)
    assert neighbours[0] < 0.1
    assert neighbours[-1] == 1


@pytest.mark.parametrize("name", ["dial_mnist", "dial_cifar"])
def test_no_pixel_keeps_its_place_on_the_dial_but_in_the_image_itself(name):
    side = 28 if name == "dial_mnist" else 32
    kinds, sizes = set(), set()
    for variant in read_experiment(name).variants:
        settings = dict(flag.removeprefix("--").split("=") for flag in variant.argv if "=" in flag)
        kinds.add(settings["data.permute_kind"])
        sizes.add(int(settings["data.permute_block"]))
    (kind,) = kinds
    assert side in sizes
    for block in sizes - {side}:
        for seed in range(10):
            order = PixelPermutation((side, side), seed, kind, block).order
            assert not (order == torch.arange(side * side)).any(), (block, seed)


def test_each_derangement_is_as_likely():
    drawn = [tuple(derangement(4, seed, "block permutation").tolist()) for seed in range(2000)]
    counts = {order: drawn.count(order) for order in drawn}
    assert set(counts) == {p for p in permutations(range(4)) if all(i != j for i, j in enumerate(p))}
    expected = 2000 / 9
    assert sum((n - expected) ** 2 / expected for n in counts.values()) < 26.1  # chi squared, 8 degrees: p = 0.001
    assert derangement(1, 0).tolist() == [0]


def test_the_kinds_start_as_they_always_did():
    golden = {kind: PixelPermutation((8, 8), kind=kind, block=4).order[:8].tolist() for kind in GOLDEN}
    assert golden == GOLDEN


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"permute_kind": "blocks", "permute_block": 5},
            "of 5 pixels does not divide images of 28 x 28 pixels. Use one",
        ),
        ({"permute_kind": "within_blocks", "permute_block": 56}, "Use one of 1, 2, 4, 7, 14, 28."),
        (
            {"permute_kind": "blocks", "permute_block": 0},
            "`permute_block` has to be a whole number from 1 up, but got 0",
        ),
    ],
)
def test_blocks_that_do_not_fit_are_refused_with_those_that_do(settings, message):
    with pytest.raises(ConfigError, match=message):
        lit_cnn.SampleDataModule(permute=True, **settings).setup("fit")


def test_a_checkpoint_remembers_the_kind(lit_cnn, tmp_path):
    import lit_cnn as library

    run = ("--model", "LitMLP", "--data", "SampleDataModule", "--data.permute", "true", "--trainer.max_epochs", "1",
           "--data.permute_kind", "blocks", "--data.permute_block", "7", "--name", "run")  # fmt: skip
    assert lit_cnn("fit", *run, "--trainer.accelerator", "cpu").code == 0
    module = library.load("logs/run/version_0")
    assert module.preprocess.permute.order.equal(PixelPermutation((28, 28), 0, "blocks", 7).order)
    other = lit_cnn("test", *run[:6], "--ckpt_path", "logs/run/version_0")
    assert other.code == 4
    assert "permute_kind blocks, permute_block 7, but the config has permute_seed 0, permute_kind pixels" in other.err


def test_one_number_is_both_sides_and_one_image_is_permuted_as_a_batch_is():
    permute = PixelPermutation(8, seed=3)
    assert torch.equal(permute.order, PixelPermutation((8, 8), seed=3).order)
    batch = torch.arange(2 * 3 * 64).view(2, 3, 8, 8)
    assert torch.equal(permute(batch[1]), permute(batch)[1])
    assert torch.equal(permute(batch[None]), permute(batch)[None])
    assert torch.equal(permute.inverse(permute(batch[0])), batch[0])
    for wrong in (torch.zeros(8, 8), torch.zeros(2, 3, 4, 16), torch.zeros(1, 9, 8)):
        with pytest.raises(ValueError, match=r"is for images \[..., channels, 8, 8\], but got \["):
            permute(wrong)


@pytest.mark.parametrize("kind", ["pixels", "rows", "columns"])
def test_a_block_is_refused_for_kinds_without_blocks(kind):
    with pytest.raises(ConfigError, match=rf"is 7, but `permute_kind` is {kind}, which has no blocks"):
        lit_cnn.SampleDataModule(permute=True, permute_kind=kind, permute_block=7)
    assert lit_cnn.SampleDataModule(permute_kind=kind, permute_block=7).permutation == (None, "pixels", 1)


def test_a_checkpoint_with_a_block_of_no_effect_is_still_read():
    preprocess = {"mean": [0.1], "std": [0.3], "image_size": [28, 28], "permute_seed": 0, "permute_kind": "rows"}
    data = lit_cnn.SampleDataModule(permute=True, permute_kind="rows")
    checkpoint = {"data": {"preprocess": preprocess | {"permute_block": 7}, "class_names": data.class_names}}
    take_over_preprocessing("best.ckpt", checkpoint, data)
    assert data.preprocess.permute.order.equal(PixelPermutation((28, 28), 0, "rows").order)

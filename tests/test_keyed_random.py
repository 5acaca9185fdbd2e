import torch

from lit_cnn.keyed_random import Draws, key_of, permutation, random_bits


def splitmix64(key: int, counter: int) -> int:
    """The generator in Python's own integers."""
    mask = 2**64 - 1
    x = (counter * 0x9E3779B97F4A7C15 + key) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return x ^ (x >> 31)


def test_random_bits_equal_the_generator_in_plain_integers():
    key = key_of(3, "order", 7)
    counters = [0, 1, 2, 59_999, 2**40]
    bits = [b % 2**64 for b in random_bits(key, torch.tensor(counters)).tolist()]
    assert bits == [splitmix64(key, c) for c in counters]


def test_random_bits_are_the_published_ones():
    # The first outputs of SplitMix64 from state 0 are those of counters 1, 2, 3.
    bits = [b % 2**64 for b in random_bits(0, torch.tensor([1, 2, 3])).tolist()]
    assert bits == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_uniform_draws_are_uniform_and_independent():
    draws = Draws(seed=0, epoch=0, indices=torch.arange(100_000), purpose="p")
    u = draws.uniform("x")
    assert ((u >= 0) & (u < 1)).all()
    counts = torch.histc(u, bins=20, min=0, max=1)
    assert (((counts - 5000) ** 2) / 5000).sum() < 43.8  # chi-square with 19 degrees of freedom, p = 0.001
    others = [
        draws.uniform("y"),
        Draws(1, 0, draws.indices, "p").uniform("x"),
        Draws(0, 1, draws.indices, "p").uniform("x"),
        Draws(0, 0, draws.indices, "q").uniform("x"),
        u.roll(1),
    ]
    for other in others:
        correlation = torch.corrcoef(torch.stack([u, other]))[0, 1]
        assert abs(correlation) < 4 / 100_000**0.5


def test_an_image_keeps_its_draws_in_whatever_batch_it_comes():
    indices = torch.tensor([5, 900, 17])
    together = Draws(0, 2, indices).integers("shift", -4, 4)
    alone = [int(Draws(0, 2, indices[i : i + 1]).integers("shift", -4, 4)) for i in range(3)]
    assert together.tolist() == alone


def test_integers_take_both_ends():
    values = Draws(0, 0, torch.arange(5000)).integers("shift", -2, 2)
    assert sorted(values.unique().tolist()) == [-2, -1, 0, 1, 2]


def test_permutation_holds_every_position_once():
    order = permutation(1000, 4, "order", 0)
    assert torch.equal(order.sort().values, torch.arange(1000))
    assert not torch.equal(order, permutation(1000, 4, "order", 1))


def test_draws_stay_what_they_are():
    draws = Draws(seed=3, epoch=1, indices=torch.tensor([0, 7]), purpose="p")
    assert draws.uniform("x").tolist() == UNIFORM
    assert draws.bytes("x", 5).tolist() == BYTES


UNIFORM = [0.09479761123657227, 0.19022917747497559]
BYTES = [[211, 84, 51, 83, 121], [248, 145, 234, 24, 0]]


def test_normal_draws_are_normal():
    z = Draws(0, 0, torch.arange(100_000)).normals("y", "z")[:, 1].double()
    counts = torch.histc(torch.special.ndtr(z), bins=20, min=0, max=1)
    assert (((counts - 5000) ** 2) / 5000).sum() < 43.8  # chi-square with 19 degrees of freedom, p = 0.001
    assert z.abs().max() > 4
    assert z.isfinite().all()


def test_several_draws_at_once_are_those_drawn_alone():
    draws = Draws(2, 5, torch.tensor([3, 1, 4]), "p")
    for name, together in zip("abc", draws.uniforms(*"abc"), strict=True):
        assert torch.equal(draws.uniform(name), together)
        assert torch.equal(draws.normals(name)[:, 0], draws.normals(*"abc")[:, "abc".index(name)])


def test_bytes_are_even_and_independent_of_image_and_place():
    draws = Draws(0, 0, torch.arange(500))
    drawn = draws.bytes("b", 203)
    assert drawn.shape == (500, 203)
    counts = drawn.flatten().bincount(minlength=256)
    expected = drawn.numel() / 256
    assert (((counts - expected) ** 2) / expected).sum() < 330.5  # 255 degrees of freedom, p = 0.001
    centred = drawn.double() - 127.5
    for other in (centred.roll(1, 0), centred.roll(1, 1), centred.roll(8, 1)):
        assert abs((centred * other).mean() / centred.var()) < 4 / drawn.numel() ** 0.5
    assert torch.equal(Draws(0, 0, torch.tensor([7])).bytes("b", 100), drawn[7:8, :100])

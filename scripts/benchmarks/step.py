"""Training step: gains by channels_last, fused optimizers and bfloat16, and the cost of the keyed draws."""

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import torch
from torch.nn import functional as F

from lit_cnn import LitLeNet, LitVGG, RandomCrop, RandomFlip
from lit_cnn.keyed_random import Draws
from scripts.benchmarks.timing import spread

Step = Callable[[], None]


def measure(repetitions: int = 5) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields for each network and switch how many times faster a step is with it."""
    for name, net, batch in (("small net, 128", LitLeNet().net, 128), ("VGG, 64", LitVGG().net, 64)):
        plain = _step(net, batch, channels_last=False, fused=False)
        switches = {
            "channels_last": _step(net, batch, fused=False),
            "channels_last, fused": _step(net, batch),
            "channels_last, fused, bfloat16": _step(net, batch, bfloat16=True),
        }
        for switch, step in switches.items():
            yield f"{name}: {switch}", spread(_ratios(plain, step, repetitions, 128 // batch * 4))
    step = _step(LitLeNet().net, 128)
    yield "keyed draws: share of a step of the small net, 128", spread(_ratios(_draws(128), step, repetitions, 20), 4)


def _step(
    net: torch.nn.Module, batch: int, channels_last: bool = True, fused: bool = True, bfloat16: bool = False
) -> Step:
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, fused=fused)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    images = torch.randn(batch, 3, 32, 32).contiguous(memory_format=layout)
    labels = torch.arange(batch) % 10

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = net(images)
        optimizer.zero_grad()
        F.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    return step


def _draws(batch: int) -> Step:
    """Returns crop's and flip's draws for a batch, as they come in groups of four batches."""
    draws = Draws(0, 0, torch.arange(4 * batch))
    crop, flip = RandomCrop(4), RandomFlip()
    turn = iter(range(10**9))

    def draw() -> None:
        if next(turn) % 4 == 0:
            crop.draw(draws).then(flip.draw(draws))

    return draw


def _ratios(base: Step, other: Step, repetitions: int, steps: int) -> list[float]:
    def timed(step: Step) -> float:
        start = perf_counter()
        for _ in range(steps):
            step()
        return perf_counter() - start

    timed(base)
    timed(other)
    return [timed(base) / timed(other) for _ in range(repetitions)]

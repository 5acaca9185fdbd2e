"""What a shipped config is expected to come to, and whether runs agree with that."""

import json
from dataclasses import dataclass
from math import atan, cos, exp, lgamma, pi, sqrt
from pathlib import Path

from lit_cnn.shipped import shipped_configs


@dataclass(frozen=True)
class Expected:
    """Test accuracy, from 0 to 1, over seeds.

    Attributes:
        mean: Over the seeds.
        sd: Standard deviation over the seeds.
        n: How many there were.
        hardware: What it was measured on.
        command: Which runs those were.
    """

    mean: float
    sd: float
    n: int
    hardware: str
    command: str

    def band(self, runs: int, confidence: float = 0.95) -> tuple[float, float]:
        """Returns the interval that the mean of so many new runs lies in with this probability.

        The prediction interval of normal values: mean +- t sd sqrt(1/n + 1/runs), t with n - 1 degrees of freedom.
        """
        half = t_quantile((1 + confidence) / 2, self.n - 1) * self.sd * sqrt(1 / self.n + 1 / runs)
        return self.mean - half, self.mean + half


def expected_of(config: str) -> Expected | None:
    """Returns the expected result of a shipped config by its name or path, or None where none is known."""
    path = shipped_configs()["quickstart"].with_name("expected.json")
    found = json.loads(path.read_text()).get(Path(config).stem)
    return Expected(**found) if found else None


def t_quantile(probability: float, freedom: int) -> float:
    """Returns the value that Student's t is below with a probability from 0.5 to 1, exact to 1e-6.

    Args:
        probability: From 0.5 to 1.
        freedom: Degrees of freedom, at least 1.
    """
    low, high = 0.0, 1e4
    while high - low > 1e-7 * (1 + low):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_below(middle, freedom) < probability else (low, middle)
    return low


def _t_below(value: float, freedom: int) -> float:
    """Student's distribution, with t = sqrt(freedom) tan(angle), by Simpson's rule over the angle."""
    scale = exp(lgamma((freedom + 1) / 2) - lgamma(freedom / 2)) / sqrt(pi)
    steps = 400
    width = atan(value / sqrt(freedom)) / steps
    heights = [cos(width * i) ** (freedom - 1) for i in range(steps + 1)]
    area = (heights[0] + heights[-1] + 4 * sum(heights[1::2]) + 2 * sum(heights[2:-1:2])) * width / 3
    return 0.5 + scale * area

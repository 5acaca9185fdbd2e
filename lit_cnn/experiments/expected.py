"""What a shipped config is expected to come to, and whether runs agree with that."""

import json
from dataclasses import dataclass
from itertools import count, islice
from math import sqrt
from pathlib import Path
from typing import Any

from lit_cnn.cli.shipped_configs import shipped_configs

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Expected:
    """Test accuracy, from 0 to 1, over seeds.

    Attributes:
        mean: Over the seeds.
        sd: Standard deviation over the seeds.
        n: How many there were.
        seeds: Which.
        hardware: What it was measured on.
    """

    mean: float
    sd: float
    n: int
    seeds: list[int]
    hardware: str

    def band(self, runs: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Returns the interval that the mean of so many new runs lies in with this probability.

        The prediction interval of normal values: mean +- t sd sqrt(1/n + 1/runs), t with n - 1 degrees of freedom.
        """
        from scipy.stats import t  # takes a second

        half = float(t.ppf((1 + confidence) / 2, self.n - 1)) * self.sd * sqrt(1 / self.n + 1 / runs)
        return self.mean - half, self.mean + half

    def fresh_seeds(self, runs: int) -> list[int]:
        """Returns the smallest seeds that had no part in it."""
        return list(islice((seed for seed in count() if seed not in self.seeds), runs))


def recorded() -> dict[str, dict[str, Any]]:
    """Returns what configs/expected.json says of each shipped config."""
    path = shipped_configs()["quickstart"].with_name("expected.json")
    found: dict[str, dict[str, Any]] = json.loads(path.read_text())
    return found


def expected_of(config: str) -> Expected | None:
    """Returns the expected result of a shipped config by its name or path, or None where too little was measured."""
    runs = recorded().get(Path(config).stem, {}).get("runs") or {"n": 0}
    if runs["n"] < 2 or "after" in runs:  # one run has no spread, and a part of the recipe is another recipe
        return None
    return Expected(**{name: runs[name] for name in ("mean", "sd", "n", "seeds", "hardware")})

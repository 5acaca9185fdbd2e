"""Expected results of shipped configs, and prediction intervals for new runs."""

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
    """Expected test accuracy, from 0 to 1: mean and standard deviation over n seeds, and where it was measured."""

    mean: float
    sd: float
    n: int
    seeds: list[int]
    hardware: str

    def band(self, runs: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Returns the prediction interval for the mean of so many new runs.

        For normal values: mean +- t sd sqrt(1/n + 1/runs), t with n - 1 degrees of freedom.
        """
        from scipy.stats import t  # takes a second

        half = float(t.ppf((1 + confidence) / 2, self.n - 1)) * self.sd * sqrt(1 / self.n + 1 / runs)
        return self.mean - half, self.mean + half

    def fresh_seeds(self, runs: int) -> list[int]:
        """Returns the smallest seeds that were not used."""
        return list(islice((seed for seed in count() if seed not in self.seeds), runs))


def recorded() -> dict[str, dict[str, Any]]:
    """Returns configs/expected.json, by config."""
    text = shipped_configs()["quickstart"].with_name("expected.json").read_text("utf-8")
    return dict(json.loads(text))


def expected_of(config: str) -> Expected | None:
    """Returns the expected result of a shipped config by name or path, or None if there are too few runs."""
    runs = recorded().get(Path(config).stem, {}).get("runs") or {"n": 0}
    if runs["n"] < 2 or "after" in runs:  # one run has no spread; a part of a recipe is another recipe
        return None
    return Expected(**{name: runs[name] for name in ("mean", "sd", "n", "seeds", "hardware")})

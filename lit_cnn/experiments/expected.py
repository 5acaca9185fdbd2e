"""What a shipped config is expected to come to, and whether runs agree with that."""

import json
from dataclasses import dataclass
from math import sqrt
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
        from scipy.stats import t  # takes a second

        half = float(t.ppf((1 + confidence) / 2, self.n - 1)) * self.sd * sqrt(1 / self.n + 1 / runs)
        return self.mean - half, self.mean + half


def expected_of(config: str) -> Expected | None:
    """Returns the expected result of a shipped config by its name or path, or None where none is known."""
    path = shipped_configs()["quickstart"].with_name("expected.json")
    found = json.loads(path.read_text()).get(Path(config).stem)
    return Expected(**found) if found else None

"""Writes the rows that `python -m lit_cnn models` prints for its default settings, so that it needs no torch.

python scripts/make_model_table.py    # after a network came or changed; a test says when
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from lit_cnn.commands.models import DEFAULTS, KEPT, row_of
from lit_cnn.models import ARCHITECTURES


def row(name: str) -> dict[str, object]:
    """Returns the row of a network for the default settings."""
    side = DEFAULTS["image_size"]
    return asdict(row_of(name, (DEFAULTS["in_channels"], side, side), DEFAULTS["num_classes"], DEFAULTS["stem"]))


if __name__ == "__main__":
    rows = ",\n".join(json.dumps(row(name)) for name in ARCHITECTURES)
    KEPT.write_text(f"[\n{rows}\n]\n", "utf-8")

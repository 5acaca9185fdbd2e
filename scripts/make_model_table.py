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


def rows() -> list[dict[str, object]]:
    """Returns the row of every network for the default settings."""
    side = DEFAULTS["image_size"]
    shape = (DEFAULTS["in_channels"], side, side)
    return [asdict(row_of(name, shape, DEFAULTS["num_classes"], DEFAULTS["stem"])) for name in ARCHITECTURES]


if __name__ == "__main__":
    KEPT.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows()) + "\n]\n", "utf-8")

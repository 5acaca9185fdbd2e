"""What several tests share."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from lit_cnn.cli import main


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS", "LIT_CNN_RUN_FOLDER", "LIT_CNN_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    torch.manual_seed(0)


@pytest.fixture
def lit_cnn(capsys, monkeypatch):
    """Runs a command in this process: `lit_cnn("fit", "--config", "quickstart")`."""
    monkeypatch.setattr("sys.argv", ["lit_cnn"])

    def run(*argv: object) -> Outcome:
        code = main([str(a) for a in argv])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real datasets, where they lie beside the checkout."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real datasets in {folder}")
    return folder


@pytest.fixture
def image_folder(tmp_path) -> Path:
    """An image folder of 8 x 6 pixels: three classes in colour, each with its own, slightly noisy."""
    rng = np.random.default_rng(0)
    colours = {"blue": (30, 30, 200), "green": (30, 200, 30), "red": (200, 30, 30)}
    for split, n in (("train", 12), ("test", 4)):
        for name, colour in colours.items():
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            for i in range(n):
                pixels = np.clip(np.array(colour) + rng.integers(-20, 20, (8, 6, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{i:02}.png")
    return tmp_path / "images"

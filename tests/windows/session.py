"""A session on the imitated Windows: each verb once, in this process; cells and what plans them in others."""

import json
import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from lit_cnn import files
from lit_cnn.cli.main import main, prepare

SMALL = {
    "data": "SyntheticDataModule", "data.image_size": 16, "data.num_classes": 3, "data.train_images": 160,
    "data.test_images": 40, "trainer.accelerator": "cpu", "trainer.max_epochs": 1,
}  # fmt: skip
RUN = Path("logs/small/version_0")


def verb(*argv, code=0):
    print("::", *argv, flush=True)
    assert main([str(a) for a in argv]) == code, argv


def pictures(folder, count=4):
    random = np.random.default_rng(0)
    for kind in ("pattern 0", "pattern 1"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            pixels = random.integers(0, 256, (12, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / kind / f"{i}.png")


def session():
    assert not hasattr(os, "fork")
    assert sys.modules["fcntl"] is None
    settings = [f"--{key}={value}" for key, value in SMALL.items()]
    verb("fit", "--model", "LitLeNet", "--name", "small", *settings)
    verb("fit", "--resume", RUN, "--trainer.max_epochs", "2")
    assert json.loads((RUN / "results.json").read_text("utf-8"))["epochs"] == 2
    verb("fit", "--model", "LitLeNet", "--name", "aux.b", *settings, code=2)
    verb("check", "--model", "LitLeNet", *settings)
    verb("report", RUN)
    pictures(Path("pictures"))
    verb("classify", RUN, "pictures")
    verb("explain", RUN, "pictures/pattern 0/0.png")
    verb("models")
    verb("export", RUN, "--format", "safetensors", "--output", "weights.safetensors")
    axes = {"model.hidden": [[4], [8]]}
    settings = SMALL | {"model": "LitMLP", "pictures.enabled": False}
    files.write_text(Path("tiny.yaml"), json.dumps({"settings": settings, "axes": axes}))
    verb("ablate", "tiny.yaml", "--jobs", "2")
    verb("report", "logs/tiny", "--output", "grid")


def encodings():
    """What libraries would write in the system's encoding, which here is ASCII."""
    from jsonargparse import Namespace

    from lit_cnn.cli.parser import Parser
    from lit_cnn.cli.resume import loggers
    from lit_cnn.runs.record import run_at

    parser = Parser()
    parser.add_argument("--text")
    parser.save(Namespace(text="größer"), "encoded.yaml")
    assert "größer" in Path("encoded.yaml").read_text("utf-8")
    for begun in (None, (1, 1)):
        logger = loggers(Path("encoded"), begun)[1]
        logger.log_metrics({"test/acc/猫": 0.5, "epoch": 0}, step=0)
        logger.save()
    assert run_at(Path("encoded")).rows[0]["test/acc/猫"] == 0.5


def mapped():
    """A cache that is written anew while it is mapped, which Windows refuses: the old one stays, and a sentence."""
    from lit_cnn import ImageFolderDataModule
    from lit_cnn.errors import DiskError

    def opened():
        data = ImageFolderDataModule("folder", image_size=12, batch_size=2, val_size=2, cache_dir="caches")
        data.setup("fit")
        return data

    pictures(Path("folder/train"))
    pictures(Path("folder/test"))
    first = opened()
    pictures(Path("folder/train"), 5)
    files.WINDOWS = True  # it tries again for a second
    try:
        opened()
    except DiskError as error:
        print(error)
    else:
        raise AssertionError("renamed over a mapped file")
    del first
    opened()


if __name__ == "__main__":
    prepare()
    for part in (session, encodings, mapped):  # the last has `files` take this for Windows
        part()
    print("done")

"""Fixtures and helpers that several tests share.

What takes seconds to import is imported within functions: the process that hands the tests out needs none of it.
"""

from __future__ import annotations

import gc
import io
import json
import os
import subprocess
import sys
import time
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    import torch

    from lit_cnn.keyed_random import Draws
    from lit_cnn.transforms import Augmentation

# For this process and those that it starts. `ablate` forks, and a fork would wait for ever for OpenMP threads that this
# process has started; and spinning threads of several processes on the same cores wait for each other by the second.
os.environ["OMP_NUM_THREADS"] = "1"

# Imports torch once, builds the parser, and for each line forks a process that runs a command, as `python -m lit_cnn`
# would; garbage collection does not search the modules then, as it does not in a command.
LAUNCHER = """
import gc, json, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
sys.path.append(sys.argv[1])
import lit_cnn.cli.trainer
from conftest import draw_nothing
from lit_cnn.cli import main as cli
from lit_cnn.experiments.plan import PlanCLI
draw_nothing(setattr)
os.fsync = lambda file: None  # see conftest.py
environment = dict(os.environ)
lit_cnn.cli.trainer.run_verb(["fit", "quickstart"], PlanCLI)  # runs nothing
os.environ.clear()
os.environ.update(environment)  # without the seed
gc.freeze()
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(order["folder"])
        if order["user"]:
            os.setgid(order["user"])
            os.setuid(order["user"])
        out = os.open("out.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.argv = ["lit_cnn", *order["argv"]]
        try:
            cli.run()
        except SystemExit as stop:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(stop.code)
        os._exit(99)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

# Imports torch once, and then has as many processes as asked for begin the same command at the same moment.
TOGETHER = """
import gc, os, sys
import lit_cnn.cli.trainer
from lit_cnn.cli import main as cli
gc.freeze()

go, wait = os.pipe()[::-1]
children = []
for i in range(int(sys.argv[1])):
    child = os.fork()
    if not child:
        os.close(go)
        os.read(wait, 1)
        os.dup2(os.open(f"out{i}.txt", os.O_WRONLY | os.O_CREAT), 1)
        os.dup2(1, 2)
        sys.argv = ["lit_cnn", *sys.argv[2:]]
        code = cli.main(sys.argv[1:])
        sys.stdout.flush()
        os._exit(code)
    children.append(child)
os.close(go)
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
"""

# A run of a second: two epochs on 270 images.
SMALL = (
    "--data", "SyntheticDataModule", "--data.train_images", "300", "--data.test_images", "103",
    "--data.image_size", "16", "--data.num_classes", "3", "--data.batch_size", "32",
    "--trainer.max_epochs", "2", "--trainer.accelerator", "cpu",
)  # fmt: skip


def draw_nothing(setattr) -> None:
    """Turns figures off, which take five sixths of a small run's time."""
    from lit_cnn.callbacks.tensorboard import evaluation, figures, graph

    for module in (figures, evaluation, graph):
        setattr(module, "boards", lambda trainer: [])


def run_folder(out: str) -> Path:
    """The folder that a command says its run is in."""
    (line,) = [line for line in out.splitlines() if line.startswith("run ")]
    return Path(line.removeprefix("run").strip())


def run_once(folder: Path, *argv: object, pictures: bool = False, code: int = 0) -> Path:
    """The folder of a run of `fit`, for several tests to read or copy; with figures only where they are asked for."""
    from lit_cnn.cli.main import main

    before = {*folder.glob("logs/*/*")}
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()):
        patch.chdir(folder)
        patch.setattr("sys.argv", ["lit_cnn"])
        if not pictures:
            draw_nothing(patch.setattr)
        assert main(["fit", *map(str, argv)]) == code
    (run,) = {*folder.glob("logs/*/*")} - before
    return run


def run_together(n: int, *argv: str) -> list[str]:
    """What each of n processes prints that begin the same command at the same moment, and succeed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TOGETHER, str(n), *argv], capture_output=True, text=True
    )
    outputs = [Path(f"out{i}.txt").read_text() for i in range(n)]
    assert done.stdout.strip() == str([0] * n), "\n".join([done.stderr, *outputs])
    return outputs


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


def pytest_xdist_auto_num_workers(config):
    """At most four processes: each imports torch and takes its memory."""
    return min(4, os.cpu_count() or 1)


def pytest_configure(config):
    """Keeps garbage collection from searching the modules while they are imported; what hands out the tests has few."""
    gc.disable()


def pytest_collection_finish(session):
    """Keeps garbage collection from searching all that was imported, as a command does; `check` collects each time."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure(config):
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS", "LIT_CNN_RUN_FOLDER", "LIT_CNN_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    import torch

    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _waits_for_no_disk(monkeypatch):
    """A run waits for the disk a dozen times, which matters to a machine that loses its power."""
    monkeypatch.setattr(os, "fsync", lambda file: None)


@pytest.fixture(autouse=True)
def _draws_only_where_asked(request, monkeypatch):
    """Only tests marked `pictures` draw figures."""
    if request.node.get_closest_marker("pictures") is None:
        draw_nothing(monkeypatch.setattr)


@pytest.fixture
def threads_restored():
    """For tests of commands that set the number of threads, and the environment for other processes by it."""
    import torch

    environment = dict(os.environ)
    yield
    torch.set_num_threads(1)
    os.environ.clear()
    os.environ.update(environment)


@pytest.fixture
def lit_cnn(capsys, monkeypatch):
    """Runs a command in this process: `lit_cnn("fit", "--config", "quickstart")`."""
    from lit_cnn.cli.main import main

    monkeypatch.setattr("sys.argv", ["lit_cnn"])

    def run(*argv: object) -> Outcome:
        code = main([str(a) for a in argv])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


class Processes:
    def __init__(self, pipe):
        self.pipe = pipe
        self.pid = 0

    def start(self, *argv, user=0, folder="."):
        self.out = Path(folder) / "out.txt"
        self.out.unlink(missing_ok=True)
        order = {"argv": [str(a) for a in argv], "folder": str(Path(folder).absolute()), "user": user}
        self.pipe.stdin.write(json.dumps(order) + "\n")
        self.pipe.stdin.flush()
        self.pid = int(self.pipe.stdout.readline())

    def wait_for_file(self, path, seconds=60.0):
        stop = time.monotonic() + seconds
        while not Path(path).exists():
            assert time.monotonic() < stop, f"no {path}: {self.out.read_text()}"
            time.sleep(0.005)

    def wait(self):
        return int(self.pipe.stdout.readline()), self.out.read_text()

    def run(self, *argv, **where):
        self.start(*argv, **where)
        return self.wait()


@pytest.fixture(scope="session")
def launcher():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", LAUNCHER, Path(__file__).parent], **pipes) as pipe:
        yield pipe
        pipe.stdin.close()


@pytest.fixture
def processes(launcher):
    return Processes(launcher)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real datasets, where they lie beside the checkout."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real datasets in {folder}")
    return folder


def trained_run(folder: Path, module, data, epochs: int = 1) -> Path:
    """A run's folder, with the checkpoint of a module that was trained from Python."""
    import lightning.pytorch as L

    trainer = L.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False,
    )  # fmt: skip
    trainer.fit(module, data)
    (folder / "checkpoints").mkdir(parents=True)
    trainer.save_checkpoint(folder / "checkpoints" / "best.ckpt")
    return folder


@pytest.fixture(scope="session")
def colour_run(tmp_path_factory) -> Path:
    """A run of a LeNet on colour images of 16 x 16 pixels, three classes: 0, 1, 2."""
    from lit_cnn import LitLeNet, SyntheticDataModule

    data = SyntheticDataModule(num_classes=3, image_size=16, train_images=200, test_images=20)
    module = LitLeNet(num_classes=3, image_size=16, widths=[4, 8], lr=3e-3)
    return trained_run(tmp_path_factory.mktemp("runs") / "lenet" / "version_0", module, data)


@pytest.fixture(scope="session")
def permuted_run(tmp_path_factory) -> Path:
    """A run of an MLP on permuted greyscale images of 12 x 10 pixels."""
    from lit_cnn import LitMLP, SyntheticDataModule

    data = SyntheticDataModule(
        num_classes=3, in_channels=1, image_size=(12, 10), train_images=200, test_images=20, permute=True
    )
    module = LitMLP(num_classes=3, image_size=(12, 10))
    return trained_run(tmp_path_factory.mktemp("runs") / "mlp" / "version_0", module, data)


@pytest.fixture
def image_folder(tmp_path) -> Path:
    """An image folder of 8 x 6 pixels: three classes in colour, each with its own, slightly noisy."""
    import numpy as np
    from PIL import Image

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


@pytest.fixture
def colours() -> torch.Tensor:
    """40 images of 14 x 11 pixels: smooth, noisy, and of one colour; some flat in one channel. In channels_last."""
    import torch

    generator = torch.Generator().manual_seed(5)
    smooth = torch.randint(0, 256, (20, 3, 4, 3), generator=generator).float()
    smooth = torch.nn.functional.interpolate(smooth, (14, 11), mode="bilinear").round().byte()
    noisy = torch.randint(0, 256, (18, 3, 14, 11), generator=generator, dtype=torch.uint8)
    noisy[-1, 1] = 77
    plain = torch.tensor([[0, 0, 0], [200, 100, 50]], dtype=torch.uint8)[:, :, None, None].expand(2, 3, 14, 11)
    return torch.cat([smooth, noisy, plain]).contiguous(memory_format=torch.channels_last)


@pytest.fixture
def draws() -> Draws:
    import torch

    from lit_cnn.keyed_random import Draws

    return Draws(seed=0, epoch=0, indices=torch.arange(40) * 3, purpose="test")


def assert_within_a_level(images: torch.Tensor, expected: torch.Tensor, same: float = 0.0) -> None:
    """Two results of rounding: no pixel more than one grey level apart, and at least a share of them equal."""
    apart = (images.int() - expected.int()).abs()
    assert apart.max() <= 1, f"{(apart > 1).float().mean():.2%} of the pixels are up to {apart.max()} levels apart"
    assert (apart == 0).float().mean() >= same, f"only {(apart == 0).float().mean():.2%} of the pixels are equal"


def assert_like_an_augmentation(augmentation: Augmentation, images: torch.Tensor, draws: Draws) -> None:
    """What holds for each: new images, the same for the same draws, in whatever batch and memory order they come."""
    import torch

    before = images.clone()
    out = augmentation(images, draws)
    assert out.dtype == torch.uint8
    assert out.shape == images.shape
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, before)
    assert torch.equal(augmentation(images, draws), out)
    assert torch.equal(augmentation(images.contiguous(), draws), out)
    some = torch.tensor([31, 4, 17])
    assert torch.equal(augmentation(images[some], replace(draws, indices=draws.indices[some])), out[some])
    # The same image with other draws comes out in many ways.
    alike = augmentation(images[:1].expand_as(images), draws)
    assert len(alike.flatten(1).unique(dim=0)) > 4
    assert not torch.equal(augmentation(images, replace(draws, epoch=1)), out)

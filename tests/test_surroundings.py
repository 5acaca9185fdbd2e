"""The environment of a command: no home folder, closed streams, every warning an error."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

import lit_cnn
from lit_cnn import ImageFolderDataModule
from lit_cnn.cli import main as cli
from lit_cnn.data import cache


@pytest.fixture
def homeless(monkeypatch, tmp_path):
    """A user without a home, as `docker run --user 1234` has it."""

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path


def test_image_folders_are_read_without_a_home(homeless, image_folder, capsys):
    data = ImageFolderDataModule(str(image_folder), batch_size=2, cache=False)
    data.setup("fit")
    assert capsys.readouterr().out == ""
    data = ImageFolderDataModule(str(image_folder), batch_size=2)
    data.setup("fit")
    (folder,) = homeless.glob("lit_cnn-*")
    assert len(list(folder.glob("images-train-*.images"))) == 1
    assert capsys.readouterr().out == (
        f"This user has no home folder: decoded images are cached in {folder}. --data.cache_dir sets another folder.\n"
    )
    assert ImageFolderDataModule(str(image_folder), batch_size=2, cache_dir="mine").cache_dir == Path("mine")
    assert capsys.readouterr().out == ""


def test_a_home_that_cannot_be_written_has_its_caches_elsewhere(homeless, monkeypatch, capsys):
    monkeypatch.setattr(Path, "home", lambda: homeless / "home")
    assert cache.default_folder() == homeless / "home/.cache/lit_cnn"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    folder = cache.default_folder()
    assert folder.parent == homeless
    assert f"{homeless} cannot be written: decoded images are cached in {folder}." in capsys.readouterr().out
    (homeless / "home/.cache/lit_cnn").mkdir(parents=True)  # what lies there may be read
    assert cache.default_folder() == homeless / "home/.cache/lit_cnn"


def test_closed_streams_are_opened(monkeypatch):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    cli._open_streams()
    print("said to nobody")
    print("said to nobody", file=sys.stderr)
    assert sys.stdin.read() == ""
    streams = sys.stdout, sys.stderr
    assert all(isinstance(stream, io.TextIOWrapper) for stream in streams)
    for stream in (sys.stdin, *streams):
        stream.close()


@pytest.mark.slow
def test_a_run_with_standard_error_closed_and_warnings_as_errors(image_folder, tmp_path):
    command = [
        sys.executable, "-W", "error", "-m", "lit_cnn", "fit", "--model", "LitLeNet",
        "--data", "ImageFolderDataModule", "--data.data_dir", str(image_folder), "--data.image_size", "28",
        "--data.batch_size", "8", "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(Path(lit_cnn.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *command], stdout=subprocess.PIPE, text=True, env=environment, check=False
    )
    assert ran.returncode == 0, ran.stdout
    assert len(list(tmp_path.glob("logs/*/*/results.json"))) == 1

"""Files and folders without permission, for a user without root's rights."""

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def as_nobody():
    """Runs a command in the current folder without rights; returns its exit code and the lines of its error."""
    if os.name != "posix":
        pytest.skip("needs POSIX's users")
    if os.getuid() == 0 and not all(folder.stat().st_mode & 0o001 for folder in Path(sys.prefix).parents):
        pytest.skip("nobody but root may enter the folder of the environment, with the fonts of the figures")
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("nobody.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as server:  # fmt: skip

        def run(*argv):
            print(json.dumps([os.getcwd(), *map(str, argv)]), file=server.stdin, flush=True)
            code, error = json.loads(server.stdout.readline())
            return code, error.splitlines()

        yield run
        server.stdin.close()


@pytest.fixture
def tmp_path():
    """A folder outside of pytest's, which a second pytest that starts meanwhile closes to others."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder).resolve()


@pytest.fixture
def open_to_all(tmp_path, image_folder):
    """The test's folder with the image folder in it, which everybody may enter and write to."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and len(folder.parts) > 2:
            folder.chmod(folder.stat().st_mode | 0o755)
    tmp_path.chmod(0o777)
    (tmp_path / "caches").mkdir(mode=0o777)
    (tmp_path / "caches").chmod(0o777)
    yield tmp_path
    for path in tmp_path.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755)


DENIED = os.strerror(errno.EACCES)
FIT = ("fit", "--model", "LitMLP", "--data", "ImageFolderDataModule", "--data.data_dir", "images", "--data.batch_size",
       "8", "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu")  # fmt: skip


@pytest.mark.parametrize(
    ("path", "mode", "more", "code", "message"),
    [
        ("images/train/blue/03.png", 0o000, (), 3, "train/blue/03.png cannot be read: " + DENIED),
        ("images/train/blue", 0o000, (), 3, "train/blue"),
        ("images/train", 0o000, (), 3, "images/train"),
        ("images", 0o000, (), 3, "images cannot be read: " + DENIED),
        ("images", 0o000, ("--data", "MNISTDataModule", "--data.data_dir", "images"), 6, "images/MNIST/raw"),
        ("logs", 0o000, ("--ckpt_path", "logs/a"), 6, "logs/a: " + DENIED),
        ("logs", 0o000, ("--resume", "logs/a/version_0"), 6, "logs/a/version_0: " + DENIED),
        ("logs", 0o000, ("--config", "logs/a.yaml"), 6, "logs/a.yaml: " + DENIED),
        ("images/test/red/00.png", 0o000, (), 3, "test/red/00.png cannot be read: " + DENIED),
        ("logs", 0o555, (), 6, "logs"),
        ("caches", 0o555, (), 6, "caches"),
        ("mine.yaml", 0o000, ("--config", "mine.yaml"), 2, "mine.yaml cannot be read: " + DENIED),
        ("mine.ckpt", 0o000, ("--ckpt_path", "mine.ckpt"), 4, "mine.ckpt cannot be read"),
        ("data", 0o555, ("--data", "MNISTDataModule", "--data.data_dir", "data"), 6, "data"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) and "/" in value else None,
)
def test_files_without_permission_are_named(as_nobody, open_to_all, path, mode, more, code, message):
    for folder in ("logs", "data"):
        (open_to_all / folder).mkdir()
        (open_to_all / folder).chmod(0o777)
    (open_to_all / "mine.yaml").write_text("name: mine\n")
    (open_to_all / "mine.ckpt").write_bytes(b"PK")
    (open_to_all / path).chmod(mode)
    ended, lines = as_nobody(*FIT, *more)
    assert ended == code, lines[-3:]
    assert message in " ".join(lines)
    assert 1 <= len(lines) <= 3
    assert "Traceback" not in " ".join(lines)


def test_the_same_run_goes_through_where_all_may_be_read(as_nobody, open_to_all):
    ended, lines = as_nobody(*FIT)
    assert ended == 0, lines[-3:]


def test_classify_names_what_lies_below_a_folder_that_may_not_be_entered(as_nobody, open_to_all):
    (open_to_all / "images").chmod(0o000)
    ended, lines = as_nobody("classify", "logs/a/version_0", "images/train/red/00.png")
    assert (ended, len(lines)) == (3, 2), lines
    assert "images/train/red/00.png cannot be read: " + DENIED in lines[0]

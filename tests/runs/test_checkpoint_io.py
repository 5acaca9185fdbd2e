"""Checkpoints are written whole or not at all, and read only as they were written. The faults are real."""

import errno
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
import torch

from lit_cnn import files
from lit_cnn.errors import CheckpointError, DiskError
from lit_cnn.runs import checkpoint_io
from lit_cnn.runs.checkpoint_io import SafeCheckpointIO

KILLS = 200

# Imports torch once, and for each line forks a process that saves one state after the other until it is killed.
# The state of step n holds nothing but n.
SAVERS = """
import os, sys, torch
from lit_cnn.runs import checkpoint_io
torch.set_num_threads(1)
for line in sys.stdin:
    child = os.fork()
    step = 0
    while not child:
        step += 1
        checkpoint_io.save({"step": step, "weights": torch.full((40_000,), step)}, sys.argv[1])
    print(child, flush=True)
    os.waitpid(child, 0)
    print("gone", flush=True)
"""


@pytest.fixture
def content():
    generator = torch.Generator().manual_seed(0)
    return {"class_path": "x", "state_dict": {"a": torch.randn(40, 5, generator=generator)}, "step": 7}


def reasons(*codes):
    """The system's words for errors, of which one has to be there."""
    return f"({'|'.join(re.escape(os.strerror(code)) for code in codes)})"


@pytest.fixture
def limit():
    """Has this process write files of at most 300 kB."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300 * 1024, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def tmpfs():
    """A disk of 300 kB."""
    folder = tempfile.mkdtemp()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        os.rmdir(folder)
        pytest.skip("mounting takes rights that this user has not")
    try:
        yield Path(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        os.rmdir(folder)


def test_others_read_what_is_written(tmp_path, content):
    path = tmp_path / "deeper" / "x.ckpt"
    checkpoint_io.save(content, path)
    for mmap in (False, True):
        theirs = torch.load(path, weights_only=True, mmap=mmap)
        assert torch.equal(theirs["state_dict"]["a"], content["state_dict"]["a"])
    assert zipfile.ZipFile(path).testzip() is None
    assert checkpoint_io.load(path)["step"] == 7
    assert [p.name for p in path.parent.iterdir()] == ["x.ckpt"]
    copy = shutil.copy(path, tmp_path / "renamed")
    assert checkpoint_io.load(copy)["step"] == 7


def test_every_flipped_byte_and_every_truncation_is_found(tmp_path, content):
    checkpoint_io.save(content, tmp_path / "x.ckpt")
    whole = (tmp_path / "x.ckpt").read_bytes()
    rng = random.Random(0)
    ends = range(len(whole) - 130, len(whole))  # the last record and the checksum, byte by byte
    positions = [*ends, *(rng.randrange(len(whole)) for _ in range(250 - len(ends)))]
    faults = [(whole[:i] + bytes([whole[i] ^ (1 << rng.randrange(8))]) + whole[i + 1 :]) for i in positions]
    faults += [whole[:i] for i in ends] + [whole[: rng.randrange(len(whole))] for _ in range(250 - len(ends))]
    detected = 0
    for fault in faults:
        (tmp_path / "broken.ckpt").write_bytes(fault)
        with pytest.raises(CheckpointError, match="broken.ckpt cannot be read as a checkpoint: it is"):
            checkpoint_io.load(tmp_path / "broken.ckpt")
        detected += 1
    assert detected == len(faults) == 500
    (tmp_path / "broken.ckpt").write_bytes(whole + b"\0")
    with pytest.raises(CheckpointError, match="checksum differs"):
        checkpoint_io.load(tmp_path / "broken.ckpt")


def test_files_of_torch_are_verified_part_by_part(tmp_path, content):
    torch.save(content, tmp_path / "plain.ckpt")
    assert checkpoint_io.load(tmp_path / "plain.ckpt")["step"] == 7
    whole = (tmp_path / "plain.ckpt").read_bytes()
    at = whole.index(content["state_dict"]["a"].numpy().tobytes()) + 100
    (tmp_path / "plain.ckpt").write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
    assert torch.load(tmp_path / "plain.ckpt", weights_only=True)["step"] == 7, "torch itself sees nothing"
    with pytest.raises(CheckpointError, match="its part plain/data/0 is broken"):
        checkpoint_io.load(tmp_path / "plain.ckpt")


def test_code_in_a_file_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "touched",))

    checkpoint_io.save({"evil": Evil()}, tmp_path / "evil.ckpt")
    for weights_only in (None, False, True):
        with pytest.raises(CheckpointError, match="evil.ckpt cannot be read as a checkpoint: "):
            SafeCheckpointIO().load_checkpoint(tmp_path / "evil.ckpt", weights_only=weights_only)
    assert not (tmp_path / "touched").exists()


@pytest.mark.slow
def test_a_killed_process_leaves_a_whole_checkpoint(tmp_path):
    """Processes that do nothing but save are killed at random moments, with the temporary folder on another disk."""
    rng = random.Random(0)
    partial = 0
    folder = tmp_path / "run"
    path = folder / "last.ckpt"
    environment = os.environ | {"TMPDIR": "/dev/shm"}
    checkpoint_io.save({"step": 0, "weights": torch.zeros(1)}, path)
    command = [sys.executable, "-c", SAVERS, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as forker:
        for _ in range(KILLS):
            forker.stdin.write("go\n")
            forker.stdin.flush()
            child = int(forker.stdout.readline())
            time.sleep(rng.uniform(0, 0.05))
            os.kill(child, signal.SIGKILL)
            forker.stdout.readline()  # it is gone
            checkpoint = checkpoint_io.load(path)
            assert (checkpoint["weights"] == checkpoint["step"]).all()
            partial += bool(list(folder.glob(".*.partial")))
            checkpoint_io.sweep(folder)
            assert [p.name for p in folder.iterdir()] == ["last.ckpt"]
    print(f"{KILLS} of {KILLS} left a loadable checkpoint, {partial} of them beside one half-written")
    assert partial > KILLS / 10, "most kills came at other moments"
    assert checkpoint["step"] > 0


def test_sweeping_leaves_what_is_being_written(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".last.ckpt.1.partial").write_text("of a killed process")
    (folder / "last.ckpt").write_text("a checkpoint")
    (folder / ".best.ckpt.2.partial").touch()
    with files.lock(folder / checkpoint_io.LOCK):  # of a process that writes one of them
        checkpoint_io.sweep(folder)
        assert len(list(folder.glob("*.partial"))) == 2
    checkpoint_io.sweep(folder)
    assert [p.name for p in folder.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize("small", ["tmpfs", "limit"])
def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, request, small):
    folder = request.getfixturevalue(small) or tmp_path / "run"
    path = folder / "last.ckpt"
    checkpoint_io.save({"weights": torch.zeros(20_000)}, path)
    before = path.read_bytes()
    with pytest.raises(DiskError) as full:
        checkpoint_io.save({"weights": torch.zeros(90_000)}, path)
    assert re.search(f"last.ckpt cannot be written: {reasons(errno.ENOSPC, errno.EFBIG)}.", str(full.value))
    assert "The previous one is kept.\nFree some space" in str(full.value)
    assert path.read_bytes() == before
    assert [p.name for p in folder.iterdir()] == ["last.ckpt"]


def test_probe_finds_a_disk_that_is_too_small(tmpfs):
    checkpoint_io.probe(tmpfs, 100_000)
    assert list(tmpfs.iterdir()) == []
    full = reasons(errno.ENOSPC)
    with pytest.raises(DiskError, match=f"{full}, but a checkpoint of this network takes up to 0.5 MB"):
        checkpoint_io.probe(tmpfs, 500_000)
    assert list(tmpfs.iterdir()) == []


def test_probe_finds_a_folder_that_may_not_be_written(tmp_path):
    (tmp_path / "taken").write_text("a file where the folder should be")
    with pytest.raises(DiskError, match=f"taken.*: {reasons(errno.ENOTDIR, errno.EEXIST)}"):
        checkpoint_io.probe(tmp_path / "taken", 1)
    with pytest.raises(DiskError, match="taken.* cannot be written: "):
        checkpoint_io.save({}, tmp_path / "taken" / "x.ckpt")

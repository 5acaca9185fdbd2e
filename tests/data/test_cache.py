import errno
import multiprocessing
import os
import time
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from lit_cnn import ImageFolderDataModule
from lit_cnn.data import cache, decoding
from lit_cnn.data.arrays import channel_statistics
from lit_cnn.errors import DataError, DiskError


@pytest.fixture
def decoded(monkeypatch):
    """The files that were decoded, in the order of their decoding."""
    paths = []
    original = decoding._decode

    def noted(images, index, shape):
        paths.append(images.names[index])
        return original(images, index, shape)

    monkeypatch.setattr(decoding, "_decode", noted)
    return paths


def read(images, split="train", **settings):
    return ImageFolderDataModule(data_dir=str(images), batch_size=2, **settings).read(split)


def the_cache(split="train"):
    (path,) = Path(os.environ["XDG_CACHE_HOME"]).glob(f"lit_cnn/images-{split}-*.images")
    return path


def paint(path, value):
    Image.fromarray(np.full((8, 6, 3), value, np.uint8)).save(path)


@pytest.mark.parametrize("blocks", ["one block", "blocks of two images"])
def test_cache_holds_what_decoding_gives(image_folder, decoded, blocks, monkeypatch):
    if blocks != "one block":
        monkeypatch.setattr(cache, "BLOCK_BYTES", 2 * 8 * 6 * 3 + 5)
    in_memory = read(image_folder, cache=False)
    plain = [np.asarray(Image.open(path)) for path in sorted((image_folder / "train").rglob("*.png"))]
    assert np.array_equal(in_memory.images.permute(0, 2, 3, 1).numpy(), np.stack(plain))
    assert len(decoded) == 36
    for times in (2, 2):  # the first writes, the second opens
        cached = read(image_folder)
        assert len(decoded) == times * 36
        assert torch.equal(cached.images, in_memory.images)
        assert torch.equal(cached.labels, in_memory.labels)
        assert cached.images.permute(0, 2, 3, 1).is_contiguous()
    assert sorted(p.name for p in the_cache().parent.iterdir()) == [the_cache().name]


def test_statistics_are_those_of_all_training_images(image_folder, decoded):
    everything = channel_statistics(read(image_folder, cache=False).images)
    for settings in ({"cache": False}, {}, {}):
        for stage in ("fit", "test"):
            data = ImageFolderDataModule(data_dir=str(image_folder), batch_size=2, val_size=0.25, **settings)
            data.setup(stage)
            found = data.preprocess.settings
            assert found["mean"] == pytest.approx(everything[0])
            assert found["std"] == pytest.approx(everything[1])


def touch_back(path, stat):
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def swap(one, other):
    """Swaps two files."""
    one.rename(one.with_name("aside"))
    other.rename(one)
    one.with_name("aside").rename(other)


def overwrite_quietly(path):
    """Writes another content of the same size and time."""
    stat, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1]]))
    touch_back(path, stat)


@pytest.mark.parametrize(
    "change",
    [
        lambda red: paint(red / "new.png", 7),
        lambda red: (red / "00.png").unlink(),
        lambda red: (red / "00.png").rename(red / "zz.png"),
        lambda red: paint(red / "00.png", 7),
        lambda red: swap(red / "00.png", red / "01.png"),
        lambda red: overwrite_quietly(red / "00.png"),
        lambda red: red.rename(red.with_name("crimson")),
    ],
    ids=["added", "removed", "renamed", "changed", "swapped", "changed and dated back", "class renamed"],
)
def test_a_changed_folder_is_noticed(image_folder, decoded, change, capsys):
    read(image_folder)
    change(image_folder / "train" / "red")
    decoded.clear()
    cached = read(image_folder)
    assert len(decoded) == len(cached) > 0
    assert "is a cache of other images: it is written again." in capsys.readouterr().out
    fresh = read(image_folder, cache=False)
    assert torch.equal(cached.images, fresh.images)
    assert torch.equal(cached.labels, fresh.labels)


def test_other_settings_have_a_cache_of_their_own(image_folder, decoded):
    for settings in ({}, {"in_channels": 1}, {"image_size": 4}, {}, {"in_channels": 1}):
        read(image_folder, **settings)
    assert len(decoded) == 3 * 36


def test_another_version_of_the_format_is_written_anew(image_folder, monkeypatch, capsys):
    read(image_folder)
    monkeypatch.setattr(cache, "VERSION", cache.VERSION + 1)
    read(image_folder)
    assert "was written by another version of lit_cnn: it is written again." in capsys.readouterr().out


def flip(content, position):
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda c: b"", "is truncated"),
        (lambda c: c[:-1], "is truncated"),
        (lambda c: c[: len(c) // 2], "is truncated"),
        (lambda c: c + b"more", "is truncated or not a cache"),
        (lambda c: c[:1000] + c[1100:], "is damaged"),
        (lambda c: flip(c, 0), "is damaged"),
        (lambda c: flip(c, 36 * 8 * 6 * 3 - 1), "is damaged"),
        (lambda c: flip(c, 36 * 8 * 6 * 3), "is damaged"),  # the archive
        (lambda c: flip(c, c.index(b"labels.npy") + 200), "is damaged"),  # a label
        (lambda c: flip(c, len(c) - cache.END_BYTES - 5), "is damaged"),  # the archive's directory
    ],
)
def test_a_damaged_cache_is_never_used(image_folder, decoded, spoil, reason, capsys):
    intact = read(image_folder)
    expected = intact.images.clone(), intact.labels
    the_cache().write_bytes(spoil(the_cache().read_bytes()))
    decoded.clear()
    again = read(image_folder)
    assert f"{the_cache()} {reason}" in capsys.readouterr().out
    assert len(decoded) == 36
    assert torch.equal(again.images, expected[0])
    assert torch.equal(again.labels, expected[1])


def test_a_cache_that_is_mapped_may_be_replaced(image_folder):
    """A run that goes on while the folder changes keeps its images."""
    mapped = read(image_folder).images
    before = mapped.clone()
    for path in (image_folder / "train" / "red").iterdir():
        paint(path, 7)
    assert not torch.equal(read(image_folder).images, before)
    assert torch.equal(mapped, before)


def test_a_cache_that_cannot_be_written(image_folder, tmp_path, lit_cnn):
    (tmp_path / "file").write_text("not a folder")
    outcome = lit_cnn(
        "fit", "--config", "quickstart", "--data", "ImageFolderDataModule", "--data.data_dir", image_folder,
        "--data.image_size", "28", "--data.batch_size", "4", "--data.cache_dir", tmp_path / "file" / "below",
    )  # fmt: skip
    assert outcome.code == 6
    assert f"the cache of the decoded images, cannot be used: {os.strerror(errno.ENOTDIR)}." in outcome.err
    assert "Set another folder with --data.cache_dir, or keep" in outcome.err
    assert len(outcome.err.splitlines()) <= 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_in_a_read_only_folder(image_folder, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(DiskError, match=f"cannot be used: {os.strerror(errno.EACCES)}"):
        read(image_folder, cache_dir=str(tmp_path / "locked"))


def test_a_disk_without_room_is_noticed_before_decoding(image_folder, decoded, monkeypatch):
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(DiskError, match=r"it takes 7.*e-05 GB, but 1e-06 GB are free.\n.*A smaller --data.image_size"):
        read(image_folder)
    assert decoded == []


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_writing_that_fails_leaves_nothing(image_folder, error, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr(cache, "channel_counts", fail)
    with pytest.raises(DiskError if isinstance(error, OSError) else KeyboardInterrupt):
        read(image_folder)
    assert list(Path(os.environ["XDG_CACHE_HOME"]).rglob("*.images*")) == []


def test_a_broken_image_is_named_and_leaves_nothing(image_folder):
    (image_folder / "train/red/05.png").write_bytes(b"broken")
    with pytest.raises(DataError, match="red/05.png is not an image that can be read"):
        read(image_folder)
    assert list(Path(os.environ["XDG_CACHE_HOME"]).rglob("*.images*")) == []


def test_images_may_lie_in_a_folder_that_is_not_written_to(image_folder):
    before = sorted(image_folder.rglob("*"))
    read(image_folder)
    assert sorted(image_folder.rglob("*")) == before


def _read_with_another(number, image_folder):
    """Reads the images in one of two processes, slowly, and leaves what it prints in a file."""
    decode = decoding._decode

    def slow(images, index, shape):
        time.sleep(0.01)
        with open("decoded", "a") as log:
            log.write(f"{images.names[index]}\n")
        return decode(images, index, shape)

    decoding._decode = slow
    with open(f"out{number}.txt", "w") as out, redirect_stdout(out):
        data = ImageFolderDataModule(str(image_folder), batch_size=2, cache_dir="cache")
        with open("ready", "a") as ready:
            ready.write("x")
        while Path("ready").stat().st_size < 2:
            time.sleep(0.01)
        print("sum", int(data.read("train").images.long().sum()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_processes_that_start_together_decode_once(image_folder, tmp_path):
    """One writes, the others wait; each sees the same images."""
    fork = multiprocessing.get_context("fork")
    both = [fork.Process(target=_read_with_another, args=(i, image_folder)) for i in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    outputs = [(tmp_path / f"out{i}.txt").read_text() for i in range(2)]
    assert len({output.splitlines()[-1] for output in outputs}) == 1
    assert len((tmp_path / "decoded").read_text().splitlines()) == 36
    assert sum("waiting for it" in output for output in outputs) == 1


def test_training_from_a_cache_is_training_from_memory(image_folder):
    def batches(**settings):
        data = ImageFolderDataModule(data_dir=str(image_folder), batch_size=5, **settings)
        data.setup("fit")
        return list(data.train_dataloader())

    for one, other in zip(batches(), batches(cache=False), strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])

"""Odd image files: right values or an error that names the file, in a fit and in a prediction alike."""

import errno
import io
import os
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torchvision
from PIL import Image

import lit_cnn
from lit_cnn import ImageFolderDataModule, LitMLP
from lit_cnn.data.image_files import EXAMPLES, suffixes
from lit_cnn.data.images import MOST_PIXELS, as_batch
from lit_cnn.data.layouts.class_folders import class_names, list_images
from lit_cnn.errors import DataError

# What the odd files hold: 8 x 6 pixels that differ in each corner, so that a wrong turn is seen.
RNG = np.random.default_rng(7)
GREY = RNG.integers(0, 256, (8, 6), np.uint8)
COLOUR = RNG.integers(0, 256, (8, 6, 3), np.uint8)
SIXTEEN = RNG.integers(0, 65536, (8, 6), np.uint16)
SIXTEEN[0, :3] = 0, 65535, 257
FLOATS = RNG.random((8, 6), np.float32)
SMOOTH = np.add.outer(np.arange(8) * 16, np.arange(6) * 16).astype(np.uint8)


def encoded(pixels, kind, mode=None, **options):
    image = Image.fromarray(pixels)
    file = io.BytesIO()
    (image.convert(mode) if mode else image).save(file, kind, **options)
    return file.getvalue()


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width, height, depth, colour, rows=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def turned(orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(COLOUR, kind, exif=exif)


def upright(pixels, orientation):
    """The EXIF standard's table, in plain array operations: where row 0 and column 0 are."""
    return {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: p.swapaxes(0, 1)[:, ::-1],
        7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
        8: lambda p: p.swapaxes(0, 1)[::-1],
    }[orientation](pixels)


def paletted(transparency):
    image = Image.fromarray(GREY // 64).convert("P")
    image.putpalette([10, 20, 30, 200, 100, 50, 0, 255, 0, 9, 9, 90])
    file = io.BytesIO()
    image.save(file, "PNG", **({} if transparency is None else {"transparency": transparency}))
    return file.getvalue()


PALETTE = np.array([[10, 20, 30], [200, 100, 50], [0, 255, 0], [9, 9, 90]], np.uint8)
ALPHA = RNG.integers(0, 256, (8, 6, 1), np.uint8)


def rgb(grey):
    return np.repeat(grey[:, :, None], 3, 2)


def on_white(pixels, alpha):
    """Pixels laid on white, in plain arithmetic."""
    return np.rint((pixels * alpha.astype(int) + 255 * (255 - alpha.astype(int))) / 255).astype(np.uint8)


def animated():
    frames = [Image.fromarray(frame).convert("RGB") for frame in (rgb(GREY // 128 * 255), np.zeros_like(COLOUR))]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


def two_pages():
    file = io.BytesIO()
    Image.fromarray(COLOUR).save(file, "TIFF", save_all=True, append_images=[Image.fromarray(COLOUR * 0)])
    return file.getvalue()


# Name, content, the pixels that it holds, and how far they may be off (JPEG).
READ = {
    "16 bits.png": (encoded(SIXTEEN, "PNG"), rgb(np.rint(SIXTEEN / 257).astype(np.uint8)), 0),
    "16 bits.tif": (encoded(SIXTEEN, "TIFF"), rgb(np.rint(SIXTEEN / 257).astype(np.uint8)), 0),
    "16 bits.pgm": (
        b"P5 6 8 65535\n" + SIXTEEN.astype(">u2").tobytes(),
        rgb(np.rint(SIXTEEN / 257).astype(np.uint8)),
        0,
    ),
    "16 bits in colour.png": (
        png(6, 8, 16, 2, b"".join(b"\0" + row.tobytes() for row in np.stack([SIXTEEN] * 3, 2).astype(">u2"))),
        rgb(np.rint(SIXTEEN / 257).astype(np.uint8)),
        1,
    ),
    "float.tiff": (encoded(FLOATS, "TIFF"), rgb(np.rint(FLOATS * 255).astype(np.uint8)), 0),
    "one bit.png": (encoded(GREY > 127, "PNG"), rgb(np.where(GREY > 127, 255, 0).astype(np.uint8)), 0),
    "palette.png": (paletted(None), PALETTE[GREY // 64], 0),
    "palette with one transparent colour.png": (paletted(0), np.where(rgb(GREY) < 64, 255, PALETTE[GREY // 64]), 0),
    "palette with an alpha for each colour.png": (
        paletted(bytes([0, 100, 255, 9])),
        on_white(PALETTE[GREY // 64], np.array([0, 100, 255, 9])[GREY // 64][:, :, None]),
        1,
    ),
    "alpha.png": (encoded(np.concatenate([COLOUR, ALPHA], 2), "PNG"), on_white(COLOUR, ALPHA), 1),
    "opaque alpha.png": (encoded(np.concatenate([COLOUR, ALPHA | 255], 2), "PNG"), COLOUR, 0),
    "grey and alpha.png": (encoded(np.stack([GREY, ALPHA[:, :, 0]], 2), "PNG"), on_white(rgb(GREY), ALPHA), 1),
    "one transparent grey.png": (
        encoded(GREY, "PNG", transparency=int(GREY[0, 0])),
        rgb(np.where(GREY[0, 0] == GREY, 255, GREY)),
        0,
    ),
    "cmyk.jpg": (encoded(rgb(SMOOTH), "JPEG", "CMYK", quality=100), rgb(SMOOTH), 6),
    "progressive.jpg": (encoded(SMOOTH, "JPEG", progressive=True, quality=100), rgb(SMOOTH), 3),
    "animated.gif": (animated(), rgb(GREY // 128 * 255), 0),
    "pages.tif": (two_pages(), COLOUR, 0),
    "of windows.bmp": (encoded(COLOUR, "BMP"), COLOUR, 0),
    "lossless.webp": (encoded(COLOUR, "WEBP", lossless=True), COLOUR, 0),
    "really a png.jpg": (encoded(COLOUR, "PNG"), COLOUR, 0),
    "SHOUTED.PNG": (encoded(COLOUR, "PNG"), COLOUR, 0),
    "Größe 图.png": (encoded(COLOUR, "PNG"), COLOUR, 0),
    "two\nlines.png": (encoded(COLOUR, "PNG"), COLOUR, 0),
    "one pixel.png": (encoded(COLOUR[:1, :1], "PNG"), np.broadcast_to(COLOUR[:1, :1], (8, 6, 3)), 0),
    "one row.png": (encoded(COLOUR[:1], "PNG"), np.broadcast_to(COLOUR[:1], (8, 6, 3)), 0),
    "one column.png": (encoded(COLOUR[:, :1], "PNG"), np.broadcast_to(COLOUR[:, :1], (8, 6, 3)), 0),
    **{
        f"turned {o}.{kind.lower()}": (turned(o, kind), upright(COLOUR, o), 0)
        for o in range(1, 9)
        for kind in ("PNG", "TIFF")
    },
}

BIG = MOST_PIXELS // 1000 + 1
REFUSED = {
    "float of 255.tif": (encoded(FLOATS * 255, "TIFF"), "has floats from .* not from 0 to 1"),
    "not a number.tif": (encoded(FLOATS * np.float32("nan"), "TIFF"), "has floats from nan to nan"),
    "32 bits.tif": (encoded(SIXTEEN.astype(np.int32), "TIFF"), "pixels of mode I, whose scale is unknown"),
    "truncated.jpg": (encoded(COLOUR, "JPEG")[:-40], "cannot be read: image file is truncated"),
    "truncated.png": (encoded(COLOUR, "PNG")[:100], "cannot be read"),
    "no bytes.png": (b"", "is not an image that can be read"),
    "text.png": (b"not an image", "is not an image that can be read"),
    "postscript.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 6\n", "is not an image that can be read"),
    "bomb.png": (png(BIG, 1000, 8, 2), "has 1,000 x 25,001 pixels; the limit is 25,000,000"),
    "vast.png": (png(2**31 - 1, 2**31 - 1, 8, 2), "has too many pixels|cannot be read"),
    "no pixels.png": (png(0, 6, 8, 2), "cannot be read|is not an image"),
    "bad checksum.png": (encoded(COLOUR, "PNG")[:45] + b"\0\0\0" + encoded(COLOUR, "PNG")[48:], "cannot be read"),
}


@pytest.fixture(scope="module")
def network():
    """A network as `lit_cnn.load` gives it, for colour images of 8 x 6 pixels."""
    from lit_cnn.transforms import Preprocess

    module = LitMLP(num_classes=3, in_channels=3, image_size=(8, 6)).eval()
    module.preprocess = Preprocess(mean=[0.5] * 3, std=[0.25] * 3, image_size=(8, 6))
    return module


def read_in_fit(folder, name):
    data = ImageFolderDataModule(str(folder), image_size=(8, 6), in_channels=3, batch_size=2, val_size=0)
    data.prepare_data()
    data.setup("fit")
    return data.arrays("train").images[[p.name for p in sorted((folder / "train/blue").iterdir())].index(name)]


@pytest.mark.parametrize("name", READ)
def test_odd_files_are_read_right(image_folder, network, name):
    content, expected, off = READ[name]
    path = image_folder / "train/blue" / name
    path.write_bytes(content)
    if expected.shape[:2] != (8, 6):  # turned on its side
        expected = np.asarray(Image.fromarray(expected).resize((6, 8), Image.Resampling.BILINEAR))
    pixels = read_in_fit(image_folder, name).permute(1, 2, 0).numpy()
    assert np.abs(pixels.astype(int) - expected.astype(int)).max() <= off
    assert np.array_equal(as_batch(path, 3, (8, 6))[0].permute(1, 2, 0).numpy(), pixels)
    assert np.array_equal(network.predict(path), network.predict(pixels))


@pytest.mark.parametrize("name", REFUSED)
def test_odd_files_are_refused_by_name(image_folder, network, name):
    content, message = REFUSED[name]
    path = image_folder / "train/blue" / name
    path.write_bytes(content)
    for read in (lambda: read_in_fit(image_folder, name), lambda: network.predict(path)):
        with pytest.raises(DataError, match=message) as caught:
            read()
        assert str(path) in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


def test_hidden_and_foreign_files_are_no_images(image_folder):
    for name in (".DS_Store", "._x.png", "Thumbs.db", "desktop.ini", "notes.txt", "labels.csv"):
        (image_folder / "train/blue" / name).write_bytes(b"not an image")
    for name in (".git", "__MACOSX", ".ipynb_checkpoints"):
        (image_folder / "train" / name).mkdir()
    (image_folder / "train/blue/deeper").symlink_to(image_folder / "train")  # a loop of folders is not walked
    data = ImageFolderDataModule(str(image_folder), batch_size=2, val_size=0)
    data.setup("fit")
    assert data.class_names == ["blue", "green", "red"]
    assert len(data.arrays("train")) == 36


@pytest.mark.parametrize("cache", [True, False])
def test_paths_that_are_not_files_are_refused_by_name(image_folder, network, cache):
    blue = image_folder / "train/blue"
    for name, make in {
        "itself.png": lambda p: p.symlink_to(p),
        "nothing.png": lambda p: p.symlink_to(p.with_name("gone")),
        "pipe.png": os.mkfifo,  # opening it would wait for ever
    }.items():
        make(blue / name)
        with pytest.raises(DataError, match=f"{name} (cannot be read|is not a file)"):
            network.predict(blue / name)
        data = ImageFolderDataModule(str(image_folder), batch_size=2, val_size=0, cache=cache)
        with pytest.raises(DataError, match=f"{name} (cannot be read|is not a file)"):
            data.setup("fit")
        blue.joinpath(name).unlink()
    with pytest.raises(DataError, match="blue is not a file"):
        network.predict(blue)
    (image_folder / "train/loop").symlink_to(image_folder / "train/loop")
    with pytest.raises(DataError, match=f"loop cannot be read: {os.strerror(errno.ELOOP)}"):
        ImageFolderDataModule(str(image_folder), batch_size=2)


def everything_below(folder):
    """What torchvision takes for images, whatever their suffix."""
    return {path for path, _ in torchvision.datasets.ImageFolder(folder, is_valid_file=lambda _: True).samples}


def test_nested_folders_are_read_as_torchvision_reads_them(image_folder):
    train = image_folder / "train"
    for folder in ("blue/session 1", "blue/session 1/deep.er", "green/x.png", "red/scans"):
        (train / folder).mkdir(parents=True)
    for path in sorted((train / "blue").glob("0?.png"))[1:]:
        path.rename(train / "blue/session 1/deep.er" / path.name)
    for path in sorted((train / "green").glob("1?.png")):
        path.rename(train / "green/x.png" / path.name)
    (train / "red/linked").symlink_to(train / "red/scans")
    Image.fromarray(COLOUR).save(train / "red/scans/1.png")
    names = class_names(train)
    images = list_images(image_folder, train, names)
    paths, labels = images.files, images.labels
    assert set(paths) == everything_below(train)
    assert np.bincount(labels).tolist() == [12, 12, 14]
    assert all(
        Path(path).relative_to(train).parts[0] == names[label] for path, label in zip(paths, labels, strict=True)
    )
    data = ImageFolderDataModule(str(image_folder), batch_size=2, val_size=0)
    data.setup("fit")
    assert len(data.arrays("train")) == 38


def test_every_suffix_that_pillow_reads_is_read(image_folder):
    Image.init()
    written = []
    for i, (suffix, form) in enumerate(sorted(suffixes().items())):
        path = image_folder / "train/blue" / f"written{suffix.upper() if i % 2 else suffix}"
        for mode in ("L", "RGB", "P", "1"):  # some formats have but one of them
            with suppress(OSError, KeyError, ValueError, DeprecationWarning):  # KeyError: it is read only
                Image.fromarray(SMOOTH).convert(mode).save(path, form)
                with Image.open(path) as image:  # Pillow 11.0 cannot read its own small .ico
                    image.load()
                written.append(path)
                break
        else:
            path.unlink(missing_ok=True)
    assert (".avif" in suffixes()) == ("AVIF" in Image.OPEN)  # from Pillow 11.3 on
    assert {".jfif", ".jpe", ".webp", ".apng", ".jp2", ".pnm", ".ico", ".tga", ".pcx"} <= set(suffixes())
    assert not {".pdf", ".eps", ".ps", ".h5", ".mpg", ".wmf"} & set(
        suffixes()
    )  # programs are started, or nothing is read
    assert len(written) > 30
    train = image_folder / "train"
    paths = list_images(image_folder, train, class_names(train)).files
    assert set(map(str, written)) <= set(paths)
    data = ImageFolderDataModule(str(image_folder), image_size=(8, 6), batch_size=2, val_size=0)
    data.setup("fit")
    assert len(data.arrays("train")) == 36 + len(written)


SYSTEMS = [".DS_Store", "._00.png", "Thumbs.db", "desktop.ini", "Icon\r"]


def test_skipped_files_are_counted_and_named(image_folder, lit_cnn, capsys):
    blue = image_folder / "train/blue"
    for name in SYSTEMS:
        (blue / name).write_bytes(b"of a system")
    (blue / ".ipynb_checkpoints").mkdir()
    data = ImageFolderDataModule(str(image_folder), batch_size=2)
    data.prepare_data()
    assert capsys.readouterr().out == ""
    for path in ("train/blue/phone.HEIC", "train/blue/.hidden.png", "train/red/._alone.png", "train/red/no suffix",
                 "train/beside.png", "train/.kept/x.png", "test/blue/deep/raw.cr2", "aside/blue/x.png",
                 "train/.git/objects/y.png", "train/.git/config", "test/green/.git/z.PNG"):  # fmt: skip
        (image_folder / path).parent.mkdir(parents=True, exist_ok=True)
        (image_folder / path).write_bytes(b"perhaps an image")
    data.prepare_data()
    data.prepare_data()
    said = capsys.readouterr().out.splitlines()
    assert said == [
        f"{image_folder}/train: 1 image is not in a class folder: beside.png.",
        f"{image_folder}/train: 2 files are skipped, since the suffix is not {EXAMPLES}: "
        "blue/phone.HEIC, red/no suffix; "
        "4 hidden images are skipped: .git/objects/y.png, .kept/x.png, blue/.hidden.png and 1 more.",
        f"{image_folder}/test: 1 file is skipped, since the suffix is not {EXAMPLES}: blue/deep/raw.cr2; "
        "1 hidden image is skipped: green/.git/z.PNG.",
        f"{image_folder}: the folders train and test are read, but not aside.",
    ]
    outcome = lit_cnn(
        "fit", "--model", "LitMLP", "--data", "ImageFolderDataModule", "--data.data_dir", image_folder,
        "--data.batch_size", 8, "--trainer.max_epochs", 1, "--trainer.accelerator", "cpu",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert [line for line in outcome.out.splitlines() if line in said] == said
    for path in blue.glob("*.png"):
        path.rename(path.with_suffix(".heif"))
    with pytest.raises(DataError, match=r"no images of the class blue in .*\n1?\d files are skipped(.*)00.heif"):
        ImageFolderDataModule(str(image_folder), batch_size=2)


def test_a_newline_in_a_name_takes_no_line_of_an_error(image_folder):
    (image_folder / "train/blue/a\nb.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"a\\nb.png is not an image"):
        read_in_fit(image_folder, "a\nb.png")


def test_classes_of_train_and_test_are_reconciled_by_name(image_folder, capsys):
    for path in (image_folder / "test/blue").iterdir():
        path.unlink()
    (image_folder / "test/blue").rmdir()
    data = ImageFolderDataModule(str(image_folder), batch_size=2)
    data.prepare_data()
    assert capsys.readouterr().out == f"{image_folder}/test: 1 class has no images and is not tested: blue.\n"
    data.setup("test")
    assert np.bincount(data.arrays("test").labels, minlength=3).tolist() == [0, 4, 4]
    (image_folder / "test/Blue").mkdir()
    with pytest.raises(DataError, match=r"has classes that .*train does not have: Blue"):
        ImageFolderDataModule(str(image_folder), batch_size=2).setup("test")


MEASURE = """
import resource, sys
from PIL import Image
from lit_cnn.data.images import as_batch
from lit_cnn.errors import DataError
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
for path in sys.argv[1:]:
    try:
        as_batch(path, 3, (8, 6))
        print("read", end=" ")
    except DataError:
        print("refused", end=" ")
    print((peak() - before) / 1024)
"""
LARGE = {
    "refused": lambda: png(10_000, 10_000, 8, 0, bytes(10_001 * 10_000)),  # 100 MB in 100 kB
    # The largest that may be.
    "colour and alpha": lambda: encoded(np.zeros((5000, 5000, 4), np.uint8), "PNG", compress_level=1),
    "16 bits": lambda: encoded(np.zeros((5000, 5000), np.uint16), "PNG", compress_level=1),
    "floats": lambda: encoded(np.zeros((5000, 5000), np.float32), "TIFF", compression="tiff_lzw"),
}


@pytest.mark.slow
def test_large_images_take_little_memory(tmp_path):
    for name, content in LARGE.items():
        (tmp_path / name).write_bytes(content())
    argv = [sys.executable, "-c", MEASURE, *(tmp_path / name for name in LARGE)]
    environment = os.environ | {"PYTHONPATH": str(Path(lit_cnn.__file__).parents[1])}
    ran = subprocess.run(argv, capture_output=True, text=True, check=True, env=environment)
    for name, line in zip(LARGE, ran.stdout.splitlines(), strict=True):
        what, megabytes = line.split()
        assert what == ("refused" if name == "refused" else "read"), name
        assert float(megabytes) < 600, f"{megabytes} MB after {name}"

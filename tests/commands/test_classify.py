import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from lit_cnn import load
from lit_cnn.data.image_files import find_images
from lit_cnn.data.stream import stream
from lit_cnn.errors import DataError


@pytest.fixture
def pictures(tmp_path):
    """Twelve colour images of 16 x 16 pixels in folders by class, and what does not count."""
    rng = np.random.default_rng(0)
    for i in range(12):
        folder = tmp_path / "pictures" / f"pattern {i % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(folder / f"{i:02}.png")
    (tmp_path / "pictures" / "notes.txt").write_text("no image")
    (tmp_path / "pictures" / "pattern 0" / "._00.png").write_text("left by an operating system")
    return tmp_path / "pictures"


def test_classify_agrees_with_predict(lit_cnn, colour_run, pictures):
    module = load(colour_run)
    outcome = lit_cnn("classify", colour_run, pictures, "--format", "csv", "--batch_size", 5)
    assert outcome.code == 0, outcome.err
    rows = list(csv.DictReader(io.StringIO(outcome.out)))
    paths = sorted(map(str, pictures.glob("*/[0-9]*.png")))
    assert [row["image"] for row in rows] == paths
    right = 0
    for row in rows:
        expected = module.predict(row["image"])[0]
        order = expected.argsort(descending=True).tolist()
        assert [row["class"], row["class_2"], row["class_3"]] == [module.class_names[i] for i in order]
        assert float(row["probability"]) == pytest.approx(float(expected.max()), abs=1e-5)
        assert row["fault"] == ""
        right += row["class"] == row["image"].split("/")[-2]
    assert f"{right} of 12 correct" in outcome.err


def test_formats_hold_the_same(lit_cnn, colour_run, pictures):
    arguments = ("classify", colour_run.parent, pictures / "pattern 0", "--top_k", 2, "--format")
    entries = json.loads(lit_cnn(*arguments, "json").out)
    rows = list(csv.reader(io.StringIO(lit_cnn(*arguments, "csv").out)))
    lines = lit_cnn(*arguments, "table").out.splitlines()
    assert rows[0] == ["image", "class", "probability", "class_2", "probability_2", "fault"]
    assert len(entries) == len(rows) - 1 == len(lines) == 4
    for entry, row, line in zip(entries, rows[1:], lines, strict=True):
        first, second = entry["classes"]
        assert row == [
            entry["image"], first["class"], f"{first['probability']:.6f}", second["class"],
            f"{second['probability']:.6f}", "",
        ]  # fmt: skip
        assert line == f"{entry['image']}  {first['class']} {first['probability']:7.2%}  " + (
            f"{second['class']} {second['probability']:7.2%}"
        )
        assert entry["fault"] is None


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_broken_image_is_a_marked_row(lit_cnn, colour_run, pictures, form):
    (pictures / "pattern 0" / "text.png").write_text("text")
    truncated = (pictures / "pattern 0" / "00.png").read_bytes()
    (pictures / "pattern 1" / "cut.png").write_bytes(truncated[: len(truncated) // 2])
    outcome = lit_cnn("classify", colour_run, pictures, "--format", form, "--batch_size", 4)
    assert outcome.code == 3
    assert "2 of 14 images could not be read. Their rows say why; the others are classified." in outcome.err
    assert "text.png is not an image that can be read" in outcome.out
    if form == "table":
        assert [("BROKEN" in line) for line in outcome.out.splitlines()].count(True) == 2
        assert len(outcome.out.splitlines()) == 14
    elif form == "json":
        assert [len(e["classes"]) for e in json.loads(outcome.out) if e["fault"]] == [0, 0]
    else:
        assert [r["class"] for r in csv.DictReader(io.StringIO(outcome.out)) if r["fault"]] == ["", ""]


def test_a_folder_of_broken_images_alone_is_marked_too(lit_cnn, colour_run, tmp_path):
    (tmp_path / "x.png").write_text("text")
    outcome = lit_cnn("classify", colour_run, tmp_path / "x.png")
    assert outcome.code == 3
    assert "BROKEN" in outcome.out
    assert "1 of 1 images could not be read" in outcome.err


def test_conversions_are_reported(lit_cnn, colour_run, permuted_run, tmp_path):
    Image.new("L", (30, 20), 90).save(tmp_path / "grey.png")
    Image.new("RGB", (10, 12), (200, 90, 10)).save(tmp_path / "colour.png")
    outcome = lit_cnn("classify", colour_run, tmp_path / "grey.png")
    assert outcome.code == 0
    assert "1 image converted to colour" in outcome.err
    assert "1 image resized to 16 x 16 pixels" in outcome.err
    outcome = lit_cnn("classify", permuted_run, tmp_path / "colour.png")
    assert "1 image converted to greyscale" in outcome.err
    assert "resized" not in outcome.err


@pytest.mark.parametrize("verb", ["classify", "explain"])
def test_transparent_and_stretched_images_are_named(lit_cnn, colour_run, tmp_path, verb):
    Image.new("RGBA", (16, 16)).save(tmp_path / "clear.png")
    Image.new("RGBA", (16, 16), "black").save(tmp_path / "opaque.png")
    Image.linear_gradient("L").rotate(90).crop((0, 0, 40, 1)).convert("RGB").save(tmp_path / "long.png")
    Image.new("RGB", (40, 30)).save(tmp_path / "photo.png")
    outcome = lit_cnn(verb, colour_run, *(f"{name}.png" for name in ("clear", "opaque", "photo", "long")))
    assert "1 image with transparent parts, which are read as white, clear.png first" in outcome.err
    assert "3 images of one colour only, with nothing to recognise, clear.png first" in outcome.err
    assert "2 images resized to 16 x 16 pixels, photo.png first" in outcome.err
    assert "1 image with very different proportions, stretched to 16 x 16 pixels, long.png first" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nowhere", "x.png"], 3, "There is no file or folder x.png"),
        (["nowhere", "."], 3, "There are no images in ."),
        (["RUN", "*.png"], 3, r"There are no images in *.png"),
        (["nowhere", "IMAGE"], 4, "There is no checkpoint or run nowhere."),
        (["RUN", "IMAGE", "--top_k", "0"], 2, "classify: argument --top_k: 0 is not a whole number above 0"),
        (["RUN", "IMAGE", "--form", "csv"], 2, "classify: unrecognized arguments: --form"),
    ],
)
def test_wrong_arguments_end_in_a_sentence(lit_cnn, colour_run, tmp_path, arguments, code, says):
    image = tmp_path / "elsewhere" / "x.jpg"
    image.parent.mkdir()
    if "." not in arguments:
        Image.new("RGB", (16, 16)).save(image)
    outcome = lit_cnn("classify", *(str({"RUN": colour_run, "IMAGE": image}.get(a, a)) for a in arguments))
    assert outcome.code == code
    assert says in outcome.err
    assert len(outcome.err.splitlines()) <= 3


def test_images_are_found_once_in_the_order_given(pictures):
    two = [str(pictures / "pattern 2"), str(pictures / "*" / "00.png"), str(pictures / "pattern 2" / "02.png")]
    found = [path.split("/")[-1] for path in find_images(two).images]
    assert found == ["02.png", "05.png", "08.png", "11.png", "00.png"]
    assert len(find_images([str(pictures / "**")]).images) == 12
    assert find_images([str(pictures / "notes.txt")]).images == [str(pictures / "notes.txt")]
    with pytest.raises(DataError, match="There is no file or folder .*gone.png"):
        find_images([str(pictures / "gone.png")])


def test_stream_keeps_the_order_and_reads_little_ahead(pictures, monkeypatch):
    from lit_cnn.data import stream as module

    opened = []
    original = module.open_image
    monkeypatch.setattr(module, "open_image", lambda path: opened.append(path) or original(path))
    monkeypatch.setattr(module.os, "cpu_count", lambda: 2)
    paths = find_images([str(pictures)]).images
    batches = stream(paths, 3, (16, 16), batch_size=1)
    first = next(batches)
    assert first.readable == paths[:1]
    batches_left = list(batches)
    assert [p for b in batches_left for p in b.paths] == paths[1:]
    for batch in batches_left:
        expected = np.asarray(Image.open(batch.paths[0]))
        assert np.array_equal(batch.images[0].permute(1, 2, 0).numpy(), expected)
    again = stream(paths, 3, (16, 16), batch_size=1)
    opened.clear()
    next(again)
    again.close()
    assert len(opened) <= 4


def test_files_that_are_left_out_are_counted_and_named(lit_cnn, colour_run, pictures):
    (pictures / "pattern 2" / "deep").mkdir()
    (pictures / "pattern 2" / "deep" / "phone.heic").write_bytes(b"?")
    Image.new("RGB", (16, 16)).save(pictures / "pattern 2" / "deep" / "x.jfif", "JPEG")
    outcome = lit_cnn("classify", colour_run, pictures)
    assert outcome.code == 0, outcome.err
    assert "x.jfif" in outcome.out
    assert "2 files are skipped, since the suffix is not .png, .jpg" in outcome.err
    assert "phone.heic" in outcome.err
    assert "notes.txt" in outcome.err

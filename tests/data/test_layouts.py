"""Layouts of images on disk: each is read with the right images, classes and parts, or refused in a sentence."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lit_cnn import ImageFolderDataModule
from lit_cnn.errors import ConfigError, DataError

COLOURS = {"blue": (30, 30, 200), "green": (30, 200, 30), "red": (200, 30, 30)}
RNG = np.random.default_rng(0)


def picture(colour):
    return np.clip(np.array(colour) + RNG.integers(-20, 20, (8, 6, 3)), 0, 255).astype(np.uint8)


def save(path, colour):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(colour)).save(path)


def folders(root, n=10, classes=COLOURS):
    for name, colour in classes.items():
        for i in range(n):
            save(root / name / f"{i:02}.png", colour)
    return root


def opened(place, **settings):
    data = ImageFolderDataModule(str(place), batch_size=2, **settings)
    data.setup("fit")
    data.setup("test")
    return data


def sizes(data):
    return {part: torch.bincount(data.arrays(part).labels, minlength=data.num_classes).tolist() for part in PARTS}


PARTS = ("train", "val", "test")


def is_of_its_colour(data):
    """Whether each image has the colour of its class, in all parts."""
    brightest = {"blue": 2, "green": 1, "red": 0}
    for part in PARTS:
        images, labels = data.arrays(part).images, data.arrays(part).labels
        found = images.float().mean((2, 3)).argmax(1)
        expected = torch.tensor([brightest[name.rpartition("/")[2]] for name in data.class_names])[labels]
        if not torch.equal(found, expected):
            return False
    return True


def classes_alone(root):
    return folders(root), {}


def three_parts(root):
    for part, n in (("train", 8), ("valid", 1), ("test", 1)):
        folders(root / part, n)
    return root, {}


def nested(root):
    folders(root / "cold", classes={"blue": COLOURS["blue"]})
    folders(root / "warm", classes={name: COLOURS[name] for name in ("green", "red")})
    return root, {"class_depth": 2}


def tiny_imagenet(root):
    for name, colour in COLOURS.items():
        for i in range(9):
            save(root / "train" / name / "images" / f"{name}_{i}.JPEG", colour)
        (root / "train" / name / f"{name}_boxes.txt").write_text(f"{name}_0.JPEG\t0\t0\t5\t5\n")
    lines = []
    for i, (name, colour) in enumerate(COLOURS.items()):
        save(root / "val" / "images" / f"val_{i}.JPEG", colour)
        lines.append(f"val_{i}.JPEG\t{name}\t0\t0\t5\t5\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    save(root / "test" / "images" / "test_0.JPEG", (9, 9, 9))
    (root / "wnids.txt").write_text("\n".join(COLOURS))
    return root, {}


def rows_of(root, split=True):
    folders(root / "pictures")
    parts = ["train"] * 8 + ["validation", "test"]
    rows = [{"file": f"pictures/{name}/{i:02}.png", "species": name} for name in COLOURS for i in range(10)]
    return [row | {"split": parts[i % 10]} if split else row for i, row in enumerate(rows)]


def csv_with_parts(root):
    rows = rows_of(root)
    with (root / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0]])
        writer.writeheader()
        writer.writerows(rows)
    return root / "labels.csv", {"label_column": "species"}


def csv_without_parts(root):
    rows = rows_of(root, split=False)
    lines = ["\ufefflabel;filename", *(f"{row['species']};{row['file'].removeprefix('pictures/')}" for row in rows)]
    (root / "table.csv").write_text("\n".join(lines), encoding="utf-8")
    return root / "table.csv", {"image_dir": str(root / "pictures")}


def parquet_table(root):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(rows_of(root)), root / "labels.parquet")
    return root / "labels.parquet", {"label_column": "species"}


def hugging_face(root):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    names = list(COLOURS)
    features = {"label": {"names": names, "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    about = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    for file, n in (("train-00000-of-00002", 5), ("train-00001-of-00002", 3), ("validation-00000-of-00001", 1),
                    ("test-00000-of-00001", 1)):  # fmt: skip
        rows = []
        for i in range(3 * n):
            save(root / "x.png", COLOURS[names[i % 3]])
            rows.append({"image": {"bytes": (root / "x.png").read_bytes(), "path": f"{i}.png"}, "label": i % 3})
            (root / "x.png").unlink()
        (root / "data").mkdir(exist_ok=True)
        table = pyarrow.Table.from_pylist(rows).replace_schema_metadata(about)
        parquet.write_table(table, root / "data" / f"{file}.parquet", row_group_size=4)
    return root, {}


def npz(root):
    named = {}
    for part, n in (("train", 8), ("val", 1), ("test", 1)):
        named[f"{part}_images"] = np.stack([picture(colour) for colour in COLOURS.values() for _ in range(n)])
        named[f"{part}_labels"] = np.repeat(list(COLOURS), n)[:, None]
    root.mkdir(exist_ok=True)
    np.savez(root / "colours.npz", **named)
    return root / "colours.npz", {}


def npy(root):
    root.mkdir(exist_ok=True)
    pixels = np.stack([picture(colour) for colour in COLOURS.values() for _ in range(10)])
    np.save(root / "X.npy", (pixels / 255).astype(np.float32).transpose(0, 3, 1, 2))
    np.save(root / "y.npy", np.repeat(np.array(list(COLOURS)), 10))
    return root, {}


@pytest.mark.parametrize(
    "make",
    [classes_alone, three_parts, nested, tiny_imagenet, csv_with_parts, csv_without_parts, parquet_table, hugging_face,
     npz, npy],
)  # fmt: skip
def test_each_layout_is_read(make, tmp_path):
    place, settings = make(tmp_path / "mine")
    data = opened(place, **settings)
    assert [name.rpartition("/")[2] for name in data.class_names] == ["blue", "green", "red"]
    assert sizes(data) == {"train": [8] * 3, "val": [1] * 3, "test": [1] * 3}
    assert is_of_its_colour(data)


def test_hugging_face_files_without_labels_for_the_test_have_it_drawn(tmp_path, capsys):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    root, _ = hugging_face(tmp_path / "mine")
    path = root / "data" / "test-00000-of-00001.parquet"
    table = parquet.read_table(path)
    parquet.write_table(table.set_column(1, "label", pyarrow.array([-1] * len(table))), path)
    data = opened(root)
    data.prepare_data()
    assert sum(sizes(data)["test"]) == 3
    assert "the 3 images of the part test have no labels and are skipped" in capsys.readouterr().out


def test_tables_and_arrays_beside_folders_of_classes_are_not_taken_for_the_images(tmp_path):
    folders(tmp_path / "mine")
    (tmp_path / "mine/notes.csv").write_text("when,what\n1,2\n")
    np.save(tmp_path / "mine/embedding.npy", np.zeros(3))
    assert sizes(opened(tmp_path / "mine"))["train"] == [8] * 3


def test_vehicles_named_train_are_a_class(tmp_path):
    data = opened(folders(tmp_path, classes={"boat": (1, 2, 3), "car": (4, 5, 6), "train": (7, 8, 9)}))
    assert data.class_names == ["boat", "car", "train"]


def test_copies_and_groups_are_kept_together(tmp_path):
    root = tmp_path / "mine"
    for name, colour in COLOURS.items():
        for i in range(30):
            save(root / name / f"patient{i // 3}_{i % 3}.png", colour)
    copied = root / "red/patient0_0.png"
    for i in range(4):
        (root / "red" / f"copy{i}.png").write_bytes(copied.read_bytes())
    data = opened(root, group_pattern=r"(\w+/patient\d+)", test_size=0.2, val_size=0.2)
    rows = list(csv.DictReader(data.split_table().splitlines()))
    part_of = {row["path"]: row["split"] for row in rows}
    assert set(part_of.values()) == set(PARTS)
    assert len(part_of) == 94
    for name in COLOURS:
        for patient in range(10):
            assert len({part_of[f"{name}/patient{patient}_{i}.png"] for i in range(3)}) == 1
    assert len({part_of[f"red/copy{i}.png"] for i in range(4)} | {part_of["red/patient0_0.png"]}) == 1
    assert all(12 <= sum(sizes(data)[part]) <= 20 for part in ("val", "test"))
    assert all(0 not in of_class for of_class in sizes(data).values())


def test_the_split_follows_its_seed_and_is_taken_from_a_file(tmp_path, capsys):
    root = folders(tmp_path / "mine")
    table = opened(root).split_table()
    assert table == opened(root, seed=5).split_table()
    assert table != opened(root, split_seed=1).split_table()
    Path("split.csv").write_text(table)
    save(root / "red" / "new.png", COLOURS["red"])
    data = opened(root, split_seed=1, split_file="split.csv")
    assert data.split_table() == table
    assert "1 image is not in split.csv and skipped: red/new.png." in capsys.readouterr().out
    (root / "red/03.png").unlink()
    with pytest.raises(DataError, match=r"names 1 of 30 images that are not in .*: red/03.png"):
        opened(root, split_file="split.csv")


def test_without_test_images_a_test_is_refused(tmp_path):
    data = ImageFolderDataModule(str(folders(tmp_path / "mine")), batch_size=2, test_size=0)
    data.setup("fit")
    with pytest.raises(DataError, match="has no test images: none are given, and data.test_size is 0"):
        data.setup("test")
    Path("split.csv").write_text(data.split_table())
    with pytest.raises(DataError, match="split.csv has no test images, .*\n.*--data.test_size 0"):
        opened(tmp_path / "mine", split_file="split.csv")


def test_mean_and_deviation_exclude_the_drawn_test_images(tmp_path):
    data = opened(folders(tmp_path / "mine"), test_size=0.3)
    kept = torch.cat([data.arrays("train").images, data.arrays("val").images])
    assert data.preprocess.settings["mean"] == pytest.approx((kept.double() / 255).mean((0, 2, 3)).tolist())


def table(root, *lines):
    folders(root / "pictures", 3)
    (root / "t.csv").write_text("\n".join(["path,label", *lines]))
    return root / "t.csv"


def arrays(root, **changes):
    root.mkdir()
    content = {"x": np.arange(30 * 16, dtype=np.uint8).reshape(30, 4, 4), "y": np.arange(30) % 3} | changes
    np.savez(root / "a.npz", **content)
    return root


FILES = [f"pictures/{name}/0{i}.png,{name}" for name in COLOURS for i in range(3)]
BAD = {
    "no label": (lambda r: table(r, *FILES, "pictures/x.png,"), "row 11: pictures/x.png has no label"),
    "space": (lambda r: table(r, FILES[0] + " ", *FILES[1:]), "the class 'blue ' begins or ends with a space"),
    "case": (lambda r: table(r, FILES[0].replace(",b", ",B"), *FILES[1:]), "'Blue' and 'blue' differ by case"),
    "no file": (lambda r: table(r, *FILES, "no.png,red"), "names 1 of 10 files that do not exist: no.png"),
    "twice": (lambda r: table(r, *FILES, FILES[0]), "names pictures/blue/00.png twice"),
    "cells": (lambda r: table(r, *FILES, "a,b,c"), "row 11 has 3 cells, but the head has 2"),
    "columns": (lambda r: table(r).write_text("a,b\n1,2") and r / "t.csv", "which of its columns a, b is the path"),
    "one class": (lambda r: folders(r, classes={"red": (200, 0, 0)}), "has only one class, red"),
    "folders alike": (lambda r: folders(r, classes=COLOURS | {"Red": (1, 1, 1)}), "'Red' and 'red' differ by case"),
    "one image": (lambda r: (save(r / "pink/0.png", (9, 9, 9)), folders(r))[1], "The class pink has 1 image; training, "
                  "test and validation need one each"),
    "above": (lambda r: folders(r / "inner").parent, "contains only the folder inner, which has 3 folders"),
    "no train": (lambda r: folders(r / "test").parent, "but no folder .*train"),
    "empty": (lambda r: r.mkdir() or r, "There are no class folders"),
    "arrays": (lambda r: r.mkdir() or np.savez(r / "a.npz", foo=np.zeros(3)) or r, "contains foo"),
    "lengths": (lambda r: r.mkdir() or np.savez(r / "a.npz", x=np.zeros((3, 4, 4), np.uint8), y=np.arange(4)) or r,
                "has 3 images, but there are 4 labels"),
    "range": (lambda r: r.mkdir() or np.savez(r / "a.npz", x=np.full((3, 4, 4), 900), y=np.arange(3)) or r,
              "from 900 to 900"),
    "objects": (lambda r: arrays(r, y=np.array([1, "a", None] * 10, object)), "Python objects, .*\nConvert each"),
    "damaged": (lambda r: [f.write_bytes(f.read_bytes()[:-90]) for f in [arrays(r) / "a.npz"]] and r,
                "a.npz cannot be read as arrays: File is not a zip file.\nSave or download it again"),
    "no archive": (lambda r: (arrays(r) / "a.npz").write_bytes(b"") + 1 and r, "cannot be read as arrays: No data"),
    "shares": (lambda r: arrays(r, y=np.arange(30) / 2), "whole numbers or texts: the one of image 1 is 0.5"),
    "one-hot": (lambda r: arrays(r, y=np.eye(30)), r"float64 \[30, 30\], but labels .*\n.* labels.argmax\(1\)"),
    "bytes": (lambda r: arrays(r, y=np.array([b"\xe9", b" b"] * 15)), "the class ' b' begins or ends with a space"),
    "no axes": (lambda r: arrays(r, x=np.array(3)), r"shape \[\], but images have to be"),
    "no numpy": (lambda r: arrays(r).joinpath("a.npz").write_text("hello") and r, "it is not a file of NumPy.\nSave"),
    "no table": (lambda r: table(r).write_text("") or r / "t.csv", "t.csv has no rows"),
    "latin": (lambda r: table(r).write_text("path,label\nx,\xe9", "latin1") and r / "t.csv", "UTF-8 .byte 13.. Save"),
    "two heads": (lambda r: table(r).write_text("path,label,label\nx,a,b") and r / "t.csv", "several columns label"),
    "flat": (lambda r: arrays(r, x=np.zeros((30, 16), np.uint8)), r"shape \[30, 16\], .*\nUse reshape"),
    "no pixels": (lambda r: arrays(r, x=np.zeros((30, 0, 4), np.uint8)), "there are no pixels"),
    "complex": (lambda r: arrays(r, x=np.zeros((30, 4, 4), complex)), "is complex128, but pixels are numbers"),
    "zeros": (lambda r: arrays(r, y=np.array(["1", "1.0", "2"] * 10)), "'1' and '1.0' differ by case, spaces or zeros"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD)
def test_faults_of_a_layout_are_reported_in_a_sentence(fault, tmp_path):
    make, message = BAD[fault]
    place = make(tmp_path / "mine")
    with pytest.raises((DataError, ConfigError), match=message) as caught:
        opened(place)
    assert len(str(caught.value).splitlines()) <= 3


def test_labels_that_are_whole_floats_are_numbers(tmp_path):
    data = opened(arrays(tmp_path / "mine", y=np.arange(30) % 3 * 5.0))
    assert data.class_names == ["0", "5", "10"]
    assert table_of_numbers(tmp_path) == ["1", "2", "10"]


def table_of_numbers(root):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    folders(root / "pictures")
    paths = [f"pictures/{name}/0{i}.png" for name in COLOURS for i in range(9)]
    labels = [number for number in (1.0, 2.0, 10.0) for _ in range(9)]
    parquet.write_table(pyarrow.table({"path": paths, "label": labels}), root / "t.parquet")
    return opened(root / "t.parquet").class_names


def test_a_parquet_file_with_damaged_rows_is_told_as_one(tmp_path):
    table_of_numbers(tmp_path)
    content = bytearray((tmp_path / "t.parquet").read_bytes())
    content[30:60] = bytes(range(100, 130))
    (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(DataError, match="t.parquet cannot be read as Parquet: .*. Download it again."):
        opened(tmp_path / "t.parquet")


def test_copies_of_one_image_cannot_be_in_all_parts(tmp_path):
    root = folders(tmp_path / "mine")
    for i in range(10):
        (root / "red" / f"0{i}.png").write_bytes((root / "red/00.png").read_bytes())
    with pytest.raises(DataError, match="red has 10 images, but copies and groups .* count as one, which leaves 1"):
        opened(root)


@pytest.mark.parametrize(("pattern", "match"), [("(", "not a regular expression"), ("patient", "matches no path")])
def test_group_patterns_that_do_not_fit_are_refused(pattern, match, tmp_path):
    with pytest.raises(ConfigError, match=match):
        opened(folders(tmp_path / "mine"), group_pattern=pattern)


def test_parts_may_be_written_in_capitals(tmp_path):
    for part in ("Train", "Test"):
        folders(tmp_path / part)
    assert sizes(opened(tmp_path, val_size=0.2)) == {"train": [8] * 3, "val": [2] * 3, "test": [10] * 3}


def test_a_deep_class_that_training_lacks_is_refused(tmp_path):
    for part in ("train", "test"):
        folders(tmp_path / part / "colours")
    folders(tmp_path / "test" / "colours", classes={"grey": (90, 90, 90)})
    with pytest.raises(DataError, match="has classes that .* does not have: colours/grey"):
        opened(tmp_path, class_depth=2)


def test_nothing_is_said_of_a_draw_where_the_split_is_given(tmp_path, capsys):
    data = opened(folders(tmp_path / "images"))
    (tmp_path / "split.csv").write_text(data.split_table(), "utf-8")
    assert "there are no test images. 3 of the 30 training images are held out (--data." in capsys.readouterr().out
    opened(tmp_path / "images", split_file=str(tmp_path / "split.csv")).setup("fit")
    assert "there are no test images" not in capsys.readouterr().out


def test_images_of_another_column_are_not_taken_from_the_cache(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = []
    for i in range(12):
        row = {"label": f"class {i % 2}"}
        for column, colour in (("first", "blue"), ("second", "red")):
            save(tmp_path / "x.png", COLOURS[colour])
            row[column] = {"bytes": (tmp_path / "x.png").read_bytes(), "path": None}
        rows.append(row)
    (tmp_path / "rows").mkdir()
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows" / "train.parquet")
    brightest = [
        opened(tmp_path / "rows", path_column=column, cache_dir=str(tmp_path / "cache"))
        .arrays("train").images.float().mean((0, 2, 3)).argmax().item()
        for column in ("first", "second")
    ]  # fmt: skip
    assert brightest == [2, 0]


def test_copies_in_two_parts_and_of_two_labels_are_named_once(tmp_path, capsys):
    root, _ = three_parts(tmp_path / "mine")
    for part, copy in (("valid", "01"), ("test", "02"), ("test", "03")):
        (root / part / "red" / f"{copy}.png").write_bytes((root / f"train/red/{copy}.png").read_bytes())
    (root / "train/blue/99.png").write_bytes((root / "train/red/05.png").read_bytes())
    (root / "test/blue/98.png").write_bytes((root / "train/red/07.png").read_bytes())
    for _ in range(2):  # fingerprints of the decoded images, and those of the cache
        data = opened(root)
        data.setup("fit")
        said = capsys.readouterr().out.splitlines()
        assert said == [
            "train images of which a copy (equal pixels) has another label: 1, such as train/red/05.png (red) and "
            "train/blue/99.png (blue). Correct one of the two labels, or remove both.",
            "val images that are copies (equal pixels) of training images: 1 of 4, such as valid/red/01.png of "
            "train/red/01.png. Remove them from one part.",
            "test images that are copies (equal pixels) of training or validation images: 2 of 6, such as "
            "test/red/02.png of train/red/02.png. Remove them from one part.",
            "test images of which a copy (equal pixels) has another label: 1, such as test/blue/98.png (blue) and "
            "train/red/07.png (red). Correct one of the two labels, or remove both.",
        ]
    assert data.image_names("val")[:2] == ["valid/blue/00.png", "valid/green/00.png"]


@pytest.mark.parametrize("part", ["test", "val"])
def test_a_part_without_folders_of_classes_is_not_read_and_is_drawn(part, tmp_path, capsys):
    folders(tmp_path / "train")
    for i in range(4):
        save(tmp_path / part / f"{i}.png", (9, 9, 9))
    data = opened(tmp_path)
    data.prepare_data()
    assert sizes(data) == {"train": [8] * 3, "val": [1] * 3, "test": [1] * 3}
    assert f"{part} has no class folders, but 4 images without labels, which are skipped" in capsys.readouterr().out


def test_a_table_beside_images_without_folders_of_classes_is_asked_for(tmp_path):
    save(tmp_path / "train/0.png", (9, 9, 9))
    save(tmp_path / "test/0.png", (9, 9, 9))
    (tmp_path / "labels.csv").write_text("file,label\n0.png,red\n")
    with pytest.raises(DataError, match="If the classes are in a table, use --data.data_dir .*labels.csv"):
        opened(tmp_path)


@pytest.mark.parametrize("names", [("test.csv", "train.csv"), ("a.npz", "b.npz")])
def test_of_several_tables_one_has_to_be_named(names, tmp_path):
    for name in names:
        (tmp_path / name).write_text("file,label\npictures/0.png,red\n")
    save(tmp_path / "pictures/0.png", (9, 9, 9))
    if names[0].endswith("npz"):
        (tmp_path / "pictures/0.png").unlink()
        (tmp_path / "pictures").rmdir()
    with pytest.raises(ConfigError, match=f"has 2 files that may list the images: {', '.join(names)}.\nGive one"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("images", "settings", "remedy"),
    [
        (1, {}, "use --data.test_size 0 --test_after_fit false and --data.val_size 0"),
        (2, {}, "use --data.test_size 0 --test_after_fit false or --data.val_size 0"),
        (1, {"val_size": 0}, "use --data.test_size 0 --test_after_fit false."),
        (2, {"fold": "1 of 3"}, "use no --data.fold or --data.val_size 0"),
    ],
)
def test_the_remedy_for_a_class_of_few_images_is_one_that_helps(images, settings, remedy, tmp_path):
    folders(tmp_path)
    for i in range(images):
        save(tmp_path / f"pink/{i}.png", (9, 9, i))
    with pytest.raises(DataError, match=remedy):
        opened(tmp_path, **settings)


def test_requests_that_are_not_met_are_reported(tmp_path, capsys):
    data = opened(folders(tmp_path / "mine"), val_size=2, test_size=0.05)
    assert sizes(data)["val"] == [1] * 3
    said = capsys.readouterr().out.splitlines()
    held = "training images are held out, one of each class (--data"
    assert said == [
        f"{tmp_path}/mine: there are no test images. 3 of the 30 {held}.test_size 0.05).",
        f"{tmp_path}/mine: there are no val images. 3 of the 27 {held}.val_size 2).",
    ]
    root, _ = three_parts(tmp_path / "parts")
    opened(root, fold="1 of 2").prepare_data()
    (said,) = capsys.readouterr().out.splitlines()
    assert "with data.fold '1 of 2' a part of the training images is tested" in said


def test_arrays_of_an_archive_are_read_once_and_it_is_closed(tmp_path, monkeypatch):
    place, settings = npz(tmp_path / "mine")
    read, load = [], np.load

    def noted(*args, **kwargs):
        archive = load(*args, **kwargs)
        read.append(archive)
        return archive

    monkeypatch.setattr(np, "load", noted)
    data = opened(place, **settings)
    assert data.image_names("test") == [f"test_images/{i}" for i in range(3)]
    assert len(read) == 1 + 6  # the names of the arrays, and each of these
    assert all(archive.zip is None for archive in read)

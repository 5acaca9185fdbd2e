"""Names that people give to folders and files: literal text in figures, tables and logs, in whatever alphabet."""

import csv
import io
import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.text import Text
from PIL import Image

from lit_cnn import plots
from lit_cnn.errors import printable
from lit_cnn.plots import comparisons, curves, text
from lit_cnn.plots.attribution import View, explanation

HARD = [
    "$x^$", "100% $$", os.fsdecode(b"caf\xe9"), "two\nlines", "a\tb", 'comma, "quote"', "<script>alert(1)<",
    r"\frac{1}_^&#~", "猫と犬", "שלום", "مرحبا", "😀", "e" * 200, " edge ", "{braces}", "a\u200db", "\u202egnp.exe",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _no_font_is_known(monkeypatch):
    """Each test looks for fonts anew."""
    monkeypatch.setattr(text, "_family_of", {})
    monkeypatch.setattr(text, "_scanned", {"done"})
    monkeypatch.setattr(text, "_said", [])


def drawn(figure):
    """The texts of a figure, after it was drawn to a file; any warning, as of an empty box, is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(io.BytesIO(), dpi=40)
    texts = [t for t in figure.findobj(Text) if t.get_text()]
    assert not any(t.get_parse_math() for t in texts if r"\mathdefault" not in t.get_text())
    return [t.get_text() for t in texts]


IMAGES = torch.zeros(len(HARD), 3, 8, 8, dtype=torch.uint8)
CLASSES, ONES = list(range(len(HARD))), np.ones((1, 2))
A, B, C, D = HARD[0], HARD[1], HARD[2], HARD[8]
SURE = [0.5] * len(HARD)
MAP = torch.rand(8, 8)
FIGURES = {
    "confusion_matrix": lambda: plots.confusion_matrix(np.eye(len(HARD), dtype=int), HARD, HARD[0]),
    "confusion_matrix of many": lambda: plots.confusion_matrix(np.ones((34, 34), int), HARD * 2, HARD[1]),
    "class_accuracy": lambda: plots.class_accuracy(np.eye(len(HARD), dtype=int), HARD, HARD[1]),
    "prediction_grid": lambda: plots.prediction_grid(IMAGES, CLASSES, CLASSES[::-1], SURE, HARD, HARD[0]),
    "worst_mistakes": lambda: plots.worst_mistakes(IMAGES, CLASSES, CLASSES[::-1], SURE, HARD, HARD[0]),
    "sample_grid": lambda: plots.sample_grid(IMAGES, IMAGES, HARD, HARD[0], HARD[1]),
    "feature_maps": lambda: plots.feature_maps(IMAGES[0], {name: torch.rand(2, 4, 4) for name in HARD}, HARD[8]),
    "filters": lambda: plots.filters(torch.rand(4, 3, 3, 3), HARD[0]),
    "reliability_diagram": lambda: plots.reliability_diagram(torch.rand(9), torch.rand(9) > 0.5, HARD[8]),
    "interval_chart": lambda: comparisons.interval_chart({n: [1.0] for n in HARD}, dict.fromkeys(HARD), A, B),
    "cost_chart": lambda: comparisons.cost_chart(
        {A: {n: 1.0 + i for i, n in enumerate(HARD)}}, dict.fromkeys(HARD, 0.5), {}, {A: HARD[:2]}, B, D
    ),
    "curves": lambda: curves.curves({A: {n: [curves.Curve([0, 1], ONES)] for n in HARD}}, B, C),
    "trends": lambda: comparisons.trends({n: {A: [1.0]} for n in HARD}, [A], B, C, D),
    "explanation": lambda: explanation(A + C, IMAGES[0], [View(B, IMAGES[0], None, MAP, MAP)], 2),
}  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_names_are_literal_text_in_every_figure(name, capsys):
    shown = " ".join(drawn(FIGURES[name]()))
    assert "$" in shown or "猫" not in shown
    assert not {"猫", "\udce9"} & set(shown) or _installed("猫")


def _installed(letter):
    text._find_fonts(letter)
    return bool(text._family_of[letter])


def test_every_plot_uses_the_figure_with_literal_texts():
    for path in Path(plots.__file__).parent.glob("*.py"):
        assert path.name == "text.py" or "from matplotlib.figure import" not in path.read_text(), path


def test_names_stand_in_a_figure_as_they_are():
    names = ["$x^$", "100% $$", r"\alpha", "a_b^c"]
    shown = drawn(plots.class_accuracy(np.eye(4, dtype=int), names))
    assert set(names) <= set(shown)


def test_letters_that_no_font_has_become_numbers_and_one_sentence(capsys):
    letters = "\U0002f8a9\U0002f8aa"  # rare ideographs
    if _installed(letters[0]) or _installed(letters[1]):
        pytest.skip("a font here has them")
    text._family_of.clear()
    text._said.clear()
    capsys.readouterr()
    shown = drawn(plots.confusion_matrix(np.eye(3, dtype=int), ["a", letters, "b"], f"of {letters[0]}"))
    assert "class 1" in shown
    assert any(t.startswith(r"of \U0002f8a9: 3 of 3 correct") for t in shown)
    drawn(plots.confusion_matrix(np.eye(2, dtype=int), ["a", letters], "again"))
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"No installed font has {letters[0]}: figures show the class's number")
    assert "fonts-noto-cjk" in said


def test_a_font_that_has_the_letters_is_found_and_used(tmp_path, monkeypatch, capsys):
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    pen.lineTo((900, 0))
    pen.lineTo((900, 900))
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "cat"])
    builder.setupCharacterMap({ord("猫"): "cat", ord("\U0002f8a9"): "cat"})
    builder.setupGlyf({".notdef": pen.glyph(), "cat": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (1000, 0), "cat": (1000, 0)})
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": "Of A Test", "styleName": "Regular"})
    builder.setupOS2(usWeightClass=400)
    builder.setupPost()
    builder.save(tmp_path / "test.ttf")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", list(font_manager.fontManager.ttflist))
    monkeypatch.setattr(text, "_scanned", set())
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(tmp_path / "test.ttf")])
    figure = plots.class_accuracy(np.eye(2, dtype=int), ["\U0002f8a9", "dog"])
    assert {"\U0002f8a9", "dog"} <= set(drawn(figure))
    families = {tuple(t.get_fontfamily()) for t in figure.findobj(Text) if t.get_text() == "\U0002f8a9"}
    assert [family[-1] for family in families] == ["Of A Test"]
    assert capsys.readouterr().err == ""
    font_manager._find_fonts_by_props.cache_clear() if hasattr(font_manager, "_find_fonts_by_props") else None


def test_printable_names_are_one_line_and_encodable():
    for name in HARD:
        shown = printable(name)
        assert "\n" not in shown
        assert shown.encode()
        assert all(letter.isprintable() or letter in "\u200d\xa0" for letter in shown)
    assert [printable(name) for name in ("猫と犬", "مرحبا", "😀", "a\u200cb")] == ["猫と犬", "مرحبا", "😀", "a\u200cb"]
    assert printable(os.fsdecode(b"caf\xe9")) == r"caf\xe9"
    assert printable("\u202egnp.exe") == r"\u202egnp.exe"


@pytest.fixture
def hard_folder(tmp_path):
    """An image folder whose classes have hard names, as long as the file system takes them."""
    rng = np.random.default_rng(0)
    made = []
    for name in HARD:
        for split in ("train", "test"):
            folder = tmp_path / "images $%" / split / name
            try:
                folder.mkdir(parents=True)
            except OSError:  # a file system that takes UTF-8 alone
                continue
            made.append(name)
            for i in range(8):
                image = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
                image.save(folder / f"{i}.png")
                if i == 0:
                    image.save(os.path.join(os.fsencode(folder), b"\xe9 $.png").decode("utf-8", "surrogateescape"))
    return tmp_path / "images $%", sorted(set(made))


@pytest.mark.slow
def test_a_run_with_hard_names_goes_through_to_its_report(lit_cnn, hard_folder):
    folder, names = hard_folder
    shown = [printable(name) for name in names]
    outcome = lit_cnn(
        "fit", "--model", "LitMLP", "--data", "ImageFolderDataModule", "--data.data_dir", folder, "--data.batch_size",
        16, "--trainer.max_epochs", 1, "--trainer.accelerator", "cpu", "--name", "hard",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    run = Path("logs/hard/version_0")
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    assert {f"test/acc_of/{name}" for name in shown} <= set(results)
    for form in ("csv", "json", "table"):
        outcome = lit_cnn("classify", run, folder / "test", "--format", form)
        assert outcome.code == 0, outcome.err
        assert f"of {9 * len(names)} correct" in outcome.err
        if form == "csv":
            rows = list(csv.reader(io.StringIO(outcome.out, newline="")))
            folders = {printable(os.path.basename(os.path.dirname(row[0]))) for row in rows[1:]}
            assert folders == set(shown)
            assert {row[1] for row in rows[1:]} <= set(shown)
    outcome = lit_cnn("report", run)
    assert outcome.code == 0, outcome.err
    for form in ("html", "md", "tex", "csv"):
        (report,) = run.glob(f"*.{form}") if form != "csv" else run.glob("report.csv")
        content = report.read_bytes().decode()
        assert "<script>" not in content.replace(r"\<script>", "") or form in ("csv", "tex")
    assert lit_cnn("predict", "--config", run / "config.yaml", "--ckpt_path", run).code == 0
    outcome = lit_cnn("explain", run, folder / "test" / "$x^$", "--output", "explained")
    assert outcome.code == 0, outcome.err

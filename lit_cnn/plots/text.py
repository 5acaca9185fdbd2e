"""Text in figures: literal, without formulas, in fonts that have the letters."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from unicodedata import category, east_asian_width

from matplotlib import figure, font_manager, rcParams
from matplotlib.text import Text

from lit_cnn.errors import printable

# Fonts of Linux, Windows and macOS for many scripts, tried before other installed fonts.
WIDE_FONTS = [
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP", "Noto Sans KR", "Source Han Sans SC",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback", "Microsoft YaHei", "SimHei", "Yu Gothic",
    "Meiryo", "Malgun Gothic", "PingFang SC", "PingFang HK", "Hiragino Sans", "Hiragino Sans GB", "Heiti TC",
    "Apple SD Gothic Neo", "Arial Unicode MS", "Noto Sans", "Noto Emoji", "Segoe UI Symbol", "Segoe UI",
]  # fmt: skip
# Colour bitmap fonts, which matplotlib cannot draw, and one with a box for every letter.
NOT_DRAWN = ("Noto Color Emoji", "Apple Color Emoji", "Last Resort", ".LastResort")

LEGEND = 40  # maximum letters of a name in a legend

_family_of: dict[str, str] = {}  # the font of each letter; empty if none has it
_scanned: set[str] = set()  # the files of all fonts, after the search
_said: list[str] = []  # the warning, once printed


class Figure(figure.Figure):
    """matplotlib's Figure with literal texts: `$` starts no formula, and missing letters do not become boxes.

    It needs no pyplot, and so no global state, no closing and no display.
    """

    def draw(self, renderer: Any) -> None:
        """Finds a font for each text, then draws the figure."""
        texts = [text for text in self.findobj(Text) if r"\mathdefault" not in text.get_text()]  # not its powers of ten
        _find_fonts(letter for text in texts for letter in text.get_text())
        for text in texts:
            content = text.get_text()
            text.set_parse_math(False)
            if not (content.isascii() and content.replace("\n", "").isprintable()):
                families = [*text.get_fontfamily(), *(_family_of.get(letter, "") for letter in content)]
                text.set_fontfamily(list(dict.fromkeys(filter(None, families))))
                text.set_text("".join(map(_drawn, content)))
        super().draw(renderer)


def drawable(class_names: Sequence[str], length: int = 16) -> list[str]:
    """Returns all class names, cut to a length for a figure; "class 3" if no installed font has the letters."""
    names = [_cut(name, length) for name in class_names]
    _find_fonts("".join(names))
    can_be_drawn = [all(_drawn(letter) in (letter, "") for letter in name) for name in names]
    return [name if can_be_drawn[i] else f"class {i}" for i, name in enumerate(names)]


def shortened(name: str, length: int = 16) -> str:
    """Returns a name short enough for a figure, in one line and in letters that can be drawn."""
    name = _cut(name, length)
    _find_fonts(name)
    return "".join(map(_drawn, name))


def _cut(name: str, length: int) -> str:
    name = printable(name)
    return name if len(name) <= length else name[: length - 1] + "…"


def width(name: str) -> int:
    """Returns the width of a name, in narrow letters."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in name)


def _drawn(letter: str) -> str:
    """Returns a letter, or its escape if no font has it."""
    if (letter.isascii() and letter.isprintable()) or letter == "\n" or _family_of.get(letter):
        return letter
    if category(letter) in ("Cf", "Mn"):  # it joins or changes the letters beside it
        return ""
    return letter.encode("unicode_escape").decode()


def _find_fonts(letters: Iterable[str]) -> None:
    """Finds the font of each letter, and warns once if there is none."""
    missing = {letter for letter in letters if not letter.isascii()} - _family_of.keys()
    if not missing:
        return
    known = [entry for entry in font_manager.fontManager.ttflist if not entry.name.startswith(NOT_DRAWN)]
    rank = {name: i for i, name in enumerate([*rcParams["font.sans-serif"][:1], *WIDE_FONTS])}
    usual = [entry for entry in known if entry.style == "normal" and entry.weight in (400, "normal", "regular")]
    for entry in sorted(usual, key=lambda entry: (rank.get(entry.name, len(rank)), entry.name)):
        missing = _taken_from(entry.fname, entry.name, missing)
    if missing and not _scanned:  # perhaps a font is newer than matplotlib's list
        _scanned.update(font_manager.findSystemFonts())
        for path in sorted(_scanned - {entry.fname for entry in font_manager.fontManager.ttflist}):
            if not Path(path).stem.startswith(("NotoColorEmoji", "Apple Color Emoji")):
                missing = _taken_from(path, None, missing)
    _family_of.update(dict.fromkeys(missing, ""))
    said = sorted(letter for letter in missing if category(letter) not in ("Cf", "Mn", "Cs"))
    if said and not _said:
        _said.append(
            f"No installed font has {said[0]}: figures show the class's number, or {_drawn(said[0])} instead. "
            "Install a font that has such letters: Noto Sans CJK for Chinese, Japanese and Korean "
            "(Debian, Ubuntu: apt install fonts-noto-cjk)."
        )
        print(*_said, file=sys.stderr)


def _taken_from(path: str, family: str | None, missing: set[str]) -> set[str]:
    """Records the letters that a font has, and returns the missing ones; without family it is new to matplotlib."""
    if not missing:
        return missing
    try:
        if family is None:
            font_manager.fontManager.addfont(path)
        font = font_manager.get_font(path)
        found = {letter for letter in missing if ord(letter) in font.get_charmap()}
    except (OSError, RuntimeError, ValueError):  # not a font that matplotlib can read
        return missing
    _family_of.update(dict.fromkeys(found, family or font.family_name))
    return missing - found

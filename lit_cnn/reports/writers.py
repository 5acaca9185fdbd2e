"""Report files: self-contained HTML, Markdown and LaTeX with separate pictures, CSV of the tables."""

import base64
import csv
import html
import io
import re
from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from lit_cnn import files
from lit_cnn.errors import printable
from lit_cnn.reports.document import Block, Code, Document, Heading, Paragraph, Picture, Table

WIDE = 8.0  # inches from which a figure has a row of its own; two narrower ones share a row
STYLE = """
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2328; background: #fff; max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #d0d7de }
.wide { overflow-x: auto }
table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums }
.about { color: #57606a; margin: 1rem 0 0 }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #d8dee4; text-align: right; vertical-align: top }
th { border-bottom: 2px solid #8c959f }
th:first-child, td:first-child { text-align: left }
figure { margin: 1rem 0 } figure img { width: 100%; height: auto } figcaption { color: #57606a }
figure.half { display: inline-block; width: 49%; vertical-align: top }
pre { background: #f6f8fa; padding: .7rem; overflow-x: auto; font-size: 13px }
"""


def to_html(document: Document) -> str:
    """Returns the document as self-contained HTML."""
    body, title = "\n".join(map(_html, document.blocks)), html.escape(document.title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    )


def _html(block: Block) -> str:
    match block:
        case Heading(text):
            return f"<h2>{html.escape(text)}</h2>"
        case Paragraph(text):
            return f"<p>{html.escape(text)}</p>"
        case Code(text, name):
            code = f"<pre><code>{html.escape(text)}</code></pre>"
            return f"<details><summary>{html.escape(name)}</summary>{code}</details>" if name else code
        case Table(caption, head, rows):
            lines = ""
            for tag, cells in (("th", head), *(("td", row) for row in rows)):
                lines += "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>\n"
            return f'<p class="about">{html.escape(caption)}</p>\n<div class="wide"><table>{lines}</table></div>'
        case Picture(_, caption, figure):
            data, caption = base64.b64encode(_png(figure)).decode(), html.escape(caption)
            size = ' class="half"' if figure.get_figwidth() < WIDE else ""
            picture = f'<img alt="{caption}" src="data:image/png;base64,{data}">'
            return f"<figure{size}>{picture}<figcaption>{caption}</figcaption></figure>"


def to_markdown(document: Document) -> str:
    """Returns the document as Markdown; pictures are in report_files."""
    return "\n\n".join([f"# {_md(document.title)}", *map(_markdown, document.blocks)]) + "\n"


def _markdown(block: Block) -> str:
    match block:
        case Heading(text):
            return f"## {_md(text)}"
        case Paragraph(text):
            return _md(text)
        case Code(text, name):
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
            return (f"{_md(name)}:\n\n" if name else "") + f"{fence}\n{text.rstrip()}\n{fence}"
        case Table(caption, head, rows):
            lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
            return "\n".join([f"{_md(caption)}\n", *("| " + " | ".join(map(_md, line)) + " |" for line in lines)])
        case Picture(name, caption, _):
            return f"![{_md(caption)}]({FILES}/{name}.png)"


# Characters with a meaning in Markdown, only at places where they have it, so that the source stays readable.
MEANING_IN_MARKDOWN = re.compile(
    r"""[|`$]                              # cells, code, formulas
    | \\ (?=[!-/:-@\[-`{-~])               # an escape
    | < (?=[A-Za-z/!?])                    # HTML
    | & (?=\#?\w+;)                        # a letter by its name
    | \] (?=[(\[:])                        # a link
    | [*~] (?=\S) | (?<=\S) [*~]           # emphasis, which `_` within a word is not
    | (?<!\w) _ (?=\S) | (?<=\S) _ (?!\w)""",
    re.VERBOSE,
)


def _md(text: str) -> str:
    """Escapes a text for Markdown, in one line."""
    return MEANING_IN_MARKDOWN.sub(r"\\\g<0>", str(text).replace("\n", " "))


def to_latex(document: Document) -> str:
    """Returns the tables and pictures as LaTeX to `\\input` (needs booktabs and graphicx)."""
    body = "\n\n".join(filter(None, map(_latex, document.blocks))) + "\n"
    return f"{LETTER}\n\n{body}" if r"\litletter" in body else body


def _latex(block: Block) -> str:
    match block:
        case Heading(text):
            return f"% {printable(text)}"
        case Table(caption, head, rows):
            lines = [" & ".join(map(_tex, line)) + r" \\" for line in (head, *rows)]
            body = [r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule", r"\end{tabular}"]
            start = rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}"
            parts = [r"\begin{table}", r"\centering", rf"\caption{{{_tex(caption)}}}", start, *body, r"\end{table}"]
        case Picture(name, caption, _):
            picture = rf"\includegraphics[width=\linewidth]{{{FILES}/{name}.png}}"
            parts = [r"\begin{figure}", r"\centering", picture, rf"\caption{{{_tex(caption)}}}", r"\end{figure}"]
        case _:
            parts = []
    return "\n".join(parts)


TEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "`": r"\textasciigrave{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "±": r"$\pm$", "…": r"\dots{}",
    **{letter: rf"\{letter}" for letter in "&%$#_{}"},
    **{letter: f"{{{letter}}}" for letter in "[*"},  # at the start of a row TeX would add them to the previous row
}  # fmt: skip
# Defined in each file: a letter without a font in pdfTeX, and its replacement there.
LETTER = r"\providecommand{\litletter}[2]{\ifdefined\Umathchar #1\else #2\fi}  % XeTeX and LuaTeX have all letters"


def _tex(text: str) -> str:
    """Escapes a text for TeX, in one line."""
    letters = "".join(TEX.get(letter) or _tex_letter(letter) for letter in printable(str(text).replace("\n", " ")))
    return letters.replace("--", "-{}-")  # TeX would make one dash of them


def _tex_letter(letter: str) -> str:
    if letter.isascii() or ("À" <= letter <= "ÿ" and letter not in "ÐðÞþ"):
        return letter
    return rf"\litletter{{{letter}}}{{U+{ord(letter):04X}}}"


def to_csv(document: Document) -> str:
    """Returns all tables as CSV, one after the other, each with its caption."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for block in document.blocks:
        if isinstance(block, Table):
            writer.writerows([[f"# {block.caption}"], block.head, *block.rows, []])
    return text.getvalue()


FILES = "report_files"
WRITERS: dict[str, Callable[[Document], str]] = {"html": to_html, "md": to_markdown, "tex": to_latex, "csv": to_csv}


def write(document: Document, folder: Path, name: str, formats: list[str]) -> list[Path]:
    """Writes a document to NAME.html and so on in a folder, in some of the formats, and returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for block in document.blocks if {"md", "tex"} & set(formats) else ():
        if isinstance(block, Picture):
            (folder / FILES).mkdir(exist_ok=True)
            (folder / FILES / f"{block.name}.png").write_bytes(_png(block.figure))
    paths = {form: folder / f"{name}.{form}" for form in formats}
    for form, path in paths.items():  # invalid text, such as a byte in the name of a folder, is escaped
        files.write_text(path, WRITERS[form](document), errors="backslashreplace", newline="\n")
    return list(paths.values())


def _png(figure: Figure) -> bytes:
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=150)
    return picture.getvalue()

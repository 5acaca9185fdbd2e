"""Document of a report: headings, paragraphs, code, tables and figures."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure


class Heading(NamedTuple):
    """A section heading."""

    text: str


class Paragraph(NamedTuple):
    """A paragraph of text."""

    text: str


class Code(NamedTuple):
    """A code block: commands or the content of a file; in HTML a block with a name is folded."""

    text: str
    name: str = ""


class Table(NamedTuple):
    """A table of text; the first column names the rows."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


class Picture(NamedTuple):
    """A matplotlib figure, with its file name without suffix."""

    name: str
    caption: str
    figure: Figure


Block = Heading | Paragraph | Code | Table | Picture


class Document(NamedTuple):
    """A report: its title, and its parts in order."""

    title: str
    blocks: list[Block]

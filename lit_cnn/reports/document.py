"""Document of a report: headings, paragraphs, code, tables and figures."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Heading:
    """A section heading."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of text."""

    text: str


@dataclass(frozen=True)
class Code:
    """A code block: commands or a file's content; if it is long, folded under its name in HTML."""

    text: str
    name: str = ""


@dataclass(frozen=True)
class Table:
    """A table of text with its caption and column names; the first column names the rows."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """A matplotlib figure with its file name, without suffix, and its caption."""

    name: str
    caption: str
    figure: Figure


Block = Heading | Paragraph | Code | Table | Picture


@dataclass
class Document:
    """A report: its title, and its parts in order."""

    title: str
    blocks: list[Block] = field(default_factory=list)

    def add(self, *blocks: Block) -> None:
        """Appends parts."""
        self.blocks.extend(blocks)

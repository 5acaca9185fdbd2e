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
    """A table.

    Attributes:
        caption: Caption.
        head: Column names; the first column has the row names.
        rows: The cells, as text.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        name: File name without suffix.
        caption: Caption.
        figure: The matplotlib figure.
    """

    name: str
    caption: str
    figure: Figure


Block = Heading | Paragraph | Code | Table | Picture


@dataclass
class Document:
    """A report.

    Attributes:
        title: Title.
        blocks: Its parts, in order.
    """

    title: str
    blocks: list[Block] = field(default_factory=list)

    def add(self, *blocks: Block) -> None:
        """Appends parts."""
        self.blocks.extend(blocks)

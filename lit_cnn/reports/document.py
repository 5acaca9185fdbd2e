"""A report before it is a file: headings, sentences, tables and figures, one below the other."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Heading:
    """A heading of a section."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Sentences."""

    text: str


@dataclass(frozen=True)
class Code:
    """Lines to type, or a file's content; a long one is folded under its name where that can be."""

    text: str
    name: str = ""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: What it shows.
        head: Names of the columns; the first holds the rows' names.
        rows: The cells, as they are printed.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        name: Its name as a file, without an ending.
        caption: What it shows.
        figure: matplotlib's.
    """

    name: str
    caption: str
    figure: Figure


Block = Heading | Paragraph | Code | Table | Picture


@dataclass
class Document:
    """A report.

    Attributes:
        title: What stands above it.
        blocks: What it holds.
    """

    title: str
    blocks: list[Block] = field(default_factory=list)

    def add(self, *blocks: Block) -> None:
        """Adds what comes next."""
        self.blocks.extend(blocks)

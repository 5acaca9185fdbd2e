"""Tables as text: rows in aligned columns."""

from collections.abc import Container, Iterable, Sequence


def text_table(rows: Iterable[Sequence[str]], right: Container[int] = ()) -> str:
    """Returns rows as aligned columns; those at the positions `right` are aligned to the right."""
    columns = [
        [cell.rjust(width) if position in right else cell.ljust(width) for cell in column]
        for position, column in enumerate(zip(*rows, strict=True))
        for width in [max(map(len, column))]
    ]
    return "\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True))

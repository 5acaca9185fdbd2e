"""Tables as text: rows in aligned columns."""

from collections.abc import Container, Iterable, Sequence


def text_table(rows: Iterable[Sequence[str]], right: Container[int] = ()) -> str:
    """Returns rows as aligned columns, with the first row as their head.

    Args:
        rows: The cells of each row.
        right: Positions of the columns that are aligned to the right, as numbers are; all others to the left.
    """
    columns = [
        [cell.rjust(width) if position in right else cell.ljust(width) for cell in column]
        for position, column in enumerate(zip(*rows, strict=True))
        for width in [max(map(len, column))]
    ]
    return "\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True))

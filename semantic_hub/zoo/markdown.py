"""Write tables of Markdown."""

from collections.abc import Iterable, Sequence


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a Markdown table, ending in a line break.

    Args:
        header: Names of the columns.
        rows: Cells of each row.

    Example:
        >>> print(markdown_table(["set", "n"], [["facts", "12"]]), end="")
        | set | n |
        | --- | --- |
        | facts | 12 |
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"

"""Character positions of the nodes of a program's syntax tree in its text."""

import ast
import re
import warnings

_LINE_END = re.compile(r"\r\n|\r|\n")

Placed = ast.stmt | ast.expr | ast.keyword | ast.arg | ast.alias | ast.excepthandler | ast.pattern
"""Node of the syntax tree that has a position."""


class Spans:
    """Converter from the nodes of a program's syntax tree to character positions in its text.

    A node's column counts the *UTF-8 bytes* before it in its line, and lines end where Python ends
    them, at ``\\n``, ``\\r\\n`` and ``\\r``, never at a form feed or a separator of Unicode.

    Args:
        source: The text that was parsed.

    Example:
        >>> source = "größe = f(ä, [1, 2])"
        >>> call = ast.parse(source).body[0].value
        >>> [source[Spans(source).span(node)] for node in (call, *call.args)]
        ['f(ä, [1, 2])', 'ä', '[1, 2]']
    """

    def __init__(self, source: str) -> None:
        self.source = source
        line_ends = [match.end() for match in _LINE_END.finditer(source)]
        self._lines = [0, *line_ends, len(source)]

    def span(self, node: Placed) -> slice:
        """Characters of a node: ``source[span]`` is its text."""
        return slice(self.start(node), self.end(node))

    def start(self, node: Placed) -> int:
        """Index of a node's first character."""
        return self._index(node.lineno, node.col_offset)

    def end(self, node: Placed) -> int:
        """Index after a node's last character."""
        return self._index(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)

    def line_start(self, line: int) -> int:
        """Index of the first character of a line, counted from 1."""
        return self._lines[line - 1]

    def after(self, mark: str, start: int) -> int:
        """Index after the first `mark` at or after `start` that is not in a comment.

        Only for text without strings, such as between two arguments.

        Example:
            >>> Spans("f(a  # one, two\\n, b)").after(",", 3)
            17
        """
        match = re.compile(
            rf"(?:[^{re.escape(mark)}#]|#[^\r\n]*(?=[\r\n]|\Z))*{re.escape(mark)}"
        ).match(self.source, start)
        if match is None:
            raise ValueError(f"no {mark!r} from character {start} on")
        return match.end()

    def _index(self, line: int, column: int) -> int:
        """Index of the character at a line and a column in bytes."""
        start, end = self._lines[line - 1 : line + 1]
        text = self.source[start:end]
        return start + (column if text.isascii() else len(text.encode()[:column].decode()))


def parse(source: str) -> ast.Module:
    """Parse a program into its syntax tree; Python's warnings about the program are suppressed.

    Raises:
        SyntaxError: The text is not valid Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)

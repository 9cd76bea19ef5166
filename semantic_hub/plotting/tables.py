"""Small tables of a value's numbers: as text, as HTML, and in LaTeX for a paper."""

import html
from collections.abc import Iterator
from math import isnan
from numbers import Integral, Real
from typing import TYPE_CHECKING

from semantic_hub.plotting.text import one_line, shortened

if TYPE_CHECKING:
    import pandas as pd

_HEAD, _TAIL = 10, 9
"""Rows at both ends of a table that is too long to show whole."""

_LONGEST = 60
"""Letters of a cell that are shown."""

LATEX_SIGNS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **{mark: rf"\{mark}" for mark in "&%$#_{}"},
}
"""What LaTeX reads as a command, and how it is written to be printed."""

_LATEX = str.maketrans(LATEX_SIGNS)


def text_table(frame: "pd.DataFrame") -> str:
    """A frame as aligned text; of a long one the first and the last rows.

    Example:
        >>> import pandas as pd
        >>> print(text_table(pd.DataFrame({"set": ["facts"], "value": [0.12345]})))
        set    value
        facts  0.123
    """
    rows = [[shortened(cell, _LONGEST) for cell in row] for row in _shown(frame)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(map(str.rstrip, lines))


def html_table(frame: "pd.DataFrame") -> str:
    """A frame as an HTML table with every cell escaped; of a long one the first and the last rows.

    Example:
        >>> import pandas as pd
        >>> html_table(pd.DataFrame({"set": ["<b>"]}))
        '<table><thead><tr><th>set</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
    """
    head, *body = (
        [html.escape(shortened(cell, _LONGEST)) for cell in row] for row in _shown(frame)
    )
    names = "".join(f"<th>{name}</th>" for name in head)
    rows = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in body)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table>"


def latex_table(frame: "pd.DataFrame") -> str:
    r"""A frame as a LaTeX ``tabular`` with the rules of booktabs, names escaped.

    Example:
        >>> import pandas as pd
        >>> print(latex_table(pd.DataFrame({"set": ["a_b & c"], "value": [0.5]})))
        % \usepackage{booktabs}
        \begin{tabular}{lr}
        \toprule
        set & value \\
        \midrule
        a\_b \& c & 0.5 \\
        \bottomrule
        \end{tabular}
    """
    head, *body = (
        " & ".join(cell.translate(_LATEX) for cell in row) + r" \\" for row in _rows(frame)
    )
    columns = "".join("r" if kind.kind in "iuf" else "l" for kind in frame.dtypes)
    top = [r"% \usepackage{booktabs}", rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
    return "\n".join([*top, head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"])


def _shown(frame: "pd.DataFrame") -> list[list[str]]:
    """Names of the columns and rows of cells as text, with an ellipsis in the middle of many."""
    if len(frame) <= _HEAD + _TAIL + 1:
        return list(_rows(frame))
    first, last = _rows(frame.head(_HEAD)), list(_rows(frame.tail(_TAIL)))[1:]
    return [*first, ["…"] * len(frame.columns), *last]


def _rows(frame: "pd.DataFrame") -> Iterator[list[str]]:
    yield [one_line(name) for name in frame.columns]
    for row in frame.itertuples(index=False, name=None):
        yield [_cell(value) for value in row]


def _cell(value: object) -> str:
    if isinstance(value, Real) and not isinstance(value, Integral):
        number = float(value)
        return "" if isnan(number) else f"{number:.3g}"
    return "" if value is None else one_line(value)

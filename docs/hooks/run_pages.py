"""Pages that are run while they are built: what their code prints and draws stands below it.

The blocks of a page share their names; the value of a last line that is an expression is shown as a
notebook shows it. So numbers and figures are those of the model that is shipped. Blocks with a
title need something of the reader's, and are left alone.
"""

import ast
import contextlib
import io
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url
from plotly.offline import get_plotlyjs

_BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_RUN = ("tutorial.md", "how-to/")
_PLOTLY = "assets/plotly.min.js"
_FIGURE = "plotly-graph-div"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the script that draws figures."""
    files.append(File.generated(config, _PLOTLY, content=get_plotlyjs()))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str | None:
    """Put below each block of code what it says."""
    if not page.file.src_uri.startswith(_RUN):
        return None
    names: dict[str, Any] = {}
    with _empty_folder():
        text = _BLOCK.sub(lambda block: block[0] + said(block["code"], names), markdown)
    script = f'<script src="{get_relative_url(_PLOTLY, page.url)}"></script>\n\n'
    return script + text if _FIGURE in text else text


def said(code: str, names: dict[str, Any]) -> str:
    r"""What code prints, and the value of its last line, as Markdown to go below it.

    Example:
        >>> said("print('a')\n1 + 1", {})
        '\n\n``` {.text .says}\na\n2\n```'
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        value = _run(code, names)
    if isinstance(value, go.Figure):
        return "\n\n" + value.to_html(full_html=False, include_plotlyjs=False)
    text = (printed.getvalue() + _text(value)).strip("\n")
    return f"\n\n``` {{.text .says}}\n{text}\n```" if text else ""


def _run(code: str, names: dict[str, Any]) -> Any:
    """The value of the last line, None if it is no expression."""
    *body, last = ast.parse(code).body
    if not isinstance(last, ast.Expr):
        return exec(code, names)
    exec(compile(ast.Module(body, []), "<page>", "exec"), names)
    return eval(compile(ast.Expression(last.value), "<page>", "eval"), names)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value.to_string(index=False) if hasattr(value, "to_string") else repr(value)


@contextlib.contextmanager
def _empty_folder() -> Iterator[None]:
    """Files that a page writes go to a folder of its own."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)

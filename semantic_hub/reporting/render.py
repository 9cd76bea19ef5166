"""Fill in the page templates, and write pages atomically."""

import json
import warnings
import webbrowser
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Protocol, runtime_checkable

from semantic_hub.errors import SemanticHubError, SemanticHubWarning, check_kinds, require, writing
from semantic_hub.plotting.tables import LATEX_SIGNS
from semantic_hub.plotting.text import one_line
from semantic_hub.reporting.figures import page_template, script_json
from semantic_hub.results.files import check_writable, write_atomically

_TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **content: Any) -> str:
    """Fill in a template: one self-contained HTML document, with all content escaped.

    Args:
        template: File among the package's templates.
        content: What it shows; figures as `semantic_hub.reporting.figures.PageFigure`.
    """
    from plotly.offline import get_plotlyjs

    page = _environment().get_template(template)
    return page.render(
        plotly=get_plotlyjs(),
        figure_template=page_template(),
        latex_signs=script_json(LATEX_SIGNS),
        **content,
    )


def readable(manifest: Mapping[str, Any]) -> str:
    """Format a manifest as indented JSON for a page."""
    return json.dumps(manifest, ensure_ascii=False, indent=2)


def write_page(path: str | Path, html: str, operation: str) -> Path:
    """Write a page to a file; an existing file is replaced atomically.

    Args:
        path: The file.
        html: The page.
        operation: The user's call, for the error.

    Raises:
        SemanticHubError: As `check_page_path`, or writing failed.
    """
    path = check_page_path(path, operation)
    with writing(operation, path):
        write_atomically(path, html.encode(), operation)
    return path


@runtime_checkable
class HasPage(Protocol):
    """Type of what `browse` opens."""

    def to_html(self) -> str:
        """Render the page."""
        ...

    def save(self, path: str | Path) -> Path:
        """Write the page to a file."""
        ...


def browse(page: HasPage, path: str | Path | None = None) -> Path:
    """Open the page of a report or of a comparison in the browser.

    Args:
        page: A `Report`, or what `compare` returns.
        path: Where the page is written; None for a temporary folder.

    Returns:
        The file. A warning says so where no browser opens, such as on a machine without a screen.

    Raises:
        SemanticHubError: Not such a value, or writing failed.

    Example:
        >>> spoke = sh.spokes.arithmetic.ArithmeticSpoke(
        ...     items=sh.spokes.arithmetic.problems("+")[::80], at_most=2)
        >>> few = {"resampling": sh.Resampling(resamples=20), "permutations": 20}
        >>> sh.browse(sh.report(model, [spoke], **few)).name  # doctest: +SKIP
        'report.html'
    """
    check_kinds("browse", path=(path, (str, Path, None)))
    if not isinstance(page, HasPage):
        raise SemanticHubError(
            "browse",
            got=f"page={one_line(repr(page))}",
            expected="a report, or a comparison of reports",
            fix="Measure one with semantic_hub.report.",
        )
    file = Path(mkdtemp(prefix="semantic-hub-")) / "report.html" if path is None else path
    written = page.save(file).resolve()
    if not webbrowser.open(written.as_uri()):
        warnings.warn(f"no browser opens here; the page is {written}", SemanticHubWarning, 2)
    return written


def check_page_path(path: str | Path, operation: str = "Report.save") -> Path:
    """Check that a page can be written to a path, by writing beside it, before a long run.

    Args:
        path: The file.
        operation: The user's call, for the error.

    Returns:
        The path.

    Raises:
        SemanticHubError: The folder does not exist or cannot be written to, something other than
            a file is at the path, or the library that fills in the page is missing.
    """
    require("jinja2")
    path = Path(path)
    with writing(operation, path):
        in_the_way = path.exists() and not path.is_file()
        if in_the_way or not path.parent.is_dir():
            raise SemanticHubError(
                operation,
                got=f"{path}",
                expected="a file in a folder that exists",
                fix="Name a file." if in_the_way else f"Make {path.parent} first.",
            )
    check_writable(path.parent, operation)
    return path


@lru_cache(maxsize=1)
def _environment() -> Any:
    require("jinja2")
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(_TEMPLATES)
    return Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

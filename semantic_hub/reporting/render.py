"""Fill in the page templates, and write pages atomically."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from semantic_hub.errors import SemanticHubError, require, writing
from semantic_hub.reporting.figures import page_template
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
    return page.render(plotly=get_plotlyjs(), figure_template=page_template(), **content)


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

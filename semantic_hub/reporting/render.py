"""Pages: templates filled in, with plotly's script inside, and written in one step."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from semantic_hub.errors import SemanticHubError, require
from semantic_hub.reporting.figures import page_template
from semantic_hub.results import write_atomically

_TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **content: Any) -> str:
    """One HTML document that loads nothing; all content is escaped.

    Args:
        template: File among the package's templates.
        content: What it shows; figures as `semantic_hub.reporting.figures.PageFigure`.
    """
    from plotly.offline import get_plotlyjs

    page = _environment().get_template(template)
    return page.render(plotly=get_plotlyjs(), figure_template=page_template(), **content)


def readable(manifest: Mapping[str, Any]) -> str:
    """A manifest as a page shows it: JSON in lines."""
    return json.dumps(manifest, ensure_ascii=False, indent=2)


def write_page(path: str | Path, html: str, operation: str) -> Path:
    """Write a page; one that is there is replaced in one step.

    Args:
        path: The file.
        html: The page.
        operation: The user's call, for the error.

    Raises:
        SemanticHubError: As `check_page_path`.
    """
    path = check_page_path(path, operation)
    write_atomically(path, html.encode())
    return path


def check_page_path(path: str | Path, operation: str = "Report.save") -> Path:
    """Where a page can be written, and that it can be; worth asking before hours of measuring.

    Args:
        path: The file.
        operation: The user's call, for the error.

    Raises:
        SemanticHubError: The folder does not exist, the path is itself a folder, or the library
            that fills in the page is missing.
    """
    require("jinja2")
    path = Path(path)
    if path.parent.is_dir() and not path.is_dir():
        return path
    raise SemanticHubError(
        operation,
        got=f"{path}",
        expected="a file in a folder that exists",
        fix="Name a file." if path.is_dir() else f"Make {path.parent} first.",
    )


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

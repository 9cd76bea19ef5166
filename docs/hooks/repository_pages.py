"""Pages of files that live outside this folder, and links to files that are pages here.

So a link to the changelog, the model card or an example is right on a code host and on the site.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_PAGES = {
    "CHANGELOG.md": "changelog.md",
    "semantic_hub/zoo/hub_mini/README.md": "hub-mini.md",
}
_LINK = re.compile(r"\]\((?P<path>(?:\.\./)+[^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    root = Path(config.config_file_path).parent
    for source, place in _PAGES.items():
        text = (root / source).read_text(encoding="utf-8")
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn links to files outside this folder into links to their pages."""
    folder = posixpath.dirname(page.file.src_uri)

    def linked(found: re.Match[str]) -> str:
        source = posixpath.normpath(posixpath.join("docs", folder, found["path"]))
        place = _page(source)
        return found[0] if place is None else f"]({posixpath.relpath(place, folder or '.')}"

    return _LINK.sub(linked, markdown)


def _page(source: str) -> str | None:
    """Where a file of the repository is on the site, if it is there."""
    if source == "examples":
        return "examples/index.md"
    if source.startswith("examples/"):
        return source.removesuffix(".py") + ".md"
    return _PAGES.get(source)

"""The site must work from the disk: a page that loads something from elsewhere fails the build."""

from html.parser import HTMLParser
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError

_LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
_NAMES_ONLY = {"canonical", "next", "prev"}
"""Links of the head that name a page, and load none."""


def on_post_build(config: MkDocsConfig) -> None:
    """Read every page that was built.

    Raises:
        PluginError: One that loads a script, style, image or frame from the network.
    """
    for path in sorted(Path(config.site_dir).rglob("*.html")):
        found = remote(path.read_text(encoding="utf-8"))
        if found:
            raise PluginError(f"{path} loads {', '.join(found)}; keep a copy in docs/ instead")


def remote(html: str) -> list[str]:
    """Addresses of other sites that a page loads something from.

    Example:
        >>> remote('<script src="https://cdn.example/a.js"></script><a href="https://b.example">')
        ['https://cdn.example/a.js']
    """
    reader = _Reader()
    reader.feed(html)
    return reader.found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        address = given.get(_LOADS.get(tag, "")) or ""
        if address.startswith(("http:", "https:", "//")) and given.get("rel") not in _NAMES_ONLY:
            self.found.append(address)

"""A reference page for each room of the package, and one that lists the rooms and public names."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_ROOT = Path(__file__).parents[2]
_NAV = "Reference"
_INTRODUCTION = """# Reference

Made from the docstrings. Every example in them is run by the tests; in examples `sh` is
`semantic_hub` and `model` is the bundled `hub-mini`.

## Public names

`import semantic_hub as sh` gives:

| name | |
|---|---|
"""
_ORDER = (
    "models", "prompts", "activations", "multimodal", "statistics", "plotting", "alignment",
    "lenses", "interventions", "experiment", "spokes", "zoo", "reporting", "results", "errors",
    "cli",
)  # fmt: skip
"""The rooms as a reader meets them; see docs/architecture.md for the order of imports."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the pages in the navigation."""
    for entry in config.nav or []:
        if _NAV in entry:
            entry[_NAV] = ["reference/index.md", *({room: _place(room)} for room in _ORDER)]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    files.append(File.generated(config, "reference/index.md", content=_index()))
    for room in _ORDER:
        files.append(File.generated(config, _place(room), content=_page(room)))
    return files


def _place(room: str) -> str:
    return f"reference/{room}.md"


def _page(room: str) -> str:
    """The room's docstring, the names it exports, and every module with all that it defines."""
    package = _package()[room]
    modules = [name for name in _modules(room) if name != package.path]
    if not modules:
        return f"::: {package.path}\n"
    exported = [_row(package[name]) for name in package.exports or ()]
    names = ["", "| name | |", "|---|---|", *exported] if exported else []
    docstring = package.docstring.value if package.docstring else ""
    parts = [f"::: {name}\n    options:\n      heading_level: 2\n" for name in modules]
    anchor = f'<a id="{package.path}"></a>'
    return "\n".join([f"# {room}", "", anchor, "", docstring, *names, "", *parts])


def _modules(room: str) -> Iterator[str]:
    """Names of a room's modules; packages among them only where they define something."""
    home = _ROOT / "semantic_hub" / room
    for path in sorted(home.rglob("*.py")) or [home.with_suffix(".py")]:
        if path.name != "__init__.py":
            yield ".".join(path.relative_to(_ROOT).with_suffix("").parts)


def _index() -> str:
    names = "\n".join(_row(_package()[str(name)]) for name in _package().exports or ())
    rooms = "\n".join(
        f"| [`{room}`]({room}.md) | {_first_line(_package()[room])} |" for room in _ORDER
    )
    return f"{_INTRODUCTION}{names}\n\n## Rooms\n\n| room | |\n|---|---|\n{rooms}\n"


@cache
def _package() -> griffe.Module:
    """The package as its source says, which names constants and their docstrings too."""
    package = griffe.load("semantic_hub", search_paths=[_ROOT], resolve_aliases=True)
    assert isinstance(package, griffe.Module)
    return package


def _row(named: griffe.Object | griffe.Alias) -> str:
    home = named.final_target if named.is_alias else named
    return f"| [`{named.name}`][{home.path}] | {_first_line(home)} |"


def _first_line(documented: griffe.Object | griffe.Alias) -> str:
    text = documented.docstring.value if documented.docstring else ""
    return text.partition("\n")[0].replace("|", "\\|")

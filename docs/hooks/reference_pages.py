"""A reference page for each room of the package, and one that lists the rooms and public names."""

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
    if not package.is_init_module:
        return f"::: {package.path}\n"
    exported = [_row(package[name]) for name in package.exports or ()]
    names = ["", "| name | |", "|---|---|", *exported] if exported else []
    parts = [part for path in _paths(room) for part in _part(path)]
    return "\n".join([f"# {room} {{#{package.path}}}", "", _docstring(package), *names, "", *parts])


def _paths(room: str) -> list[str]:
    """Dotted names of the room's modules and inner packages, each package before its modules."""
    home = _ROOT / "semantic_hub" / room
    files = [path.relative_to(_ROOT).with_suffix("") for path in home.rglob("*.py")]
    names = {".".join(path.parts).removesuffix(".__init__") for path in files}
    return sorted(name for name in names - {f"semantic_hub.{room}"} if "__main__" not in name)


def _part(path: str) -> list[str]:
    """A module with all that it defines, or the heading and the docstring of an inner package."""
    module = _package()[path.partition(".")[2]]
    if module.is_init_module:
        return [f"## {path} {{#{path}}}", "", _docstring(module), ""]
    return [f"::: {path}\n    options:\n      heading_level: 2\n"]


def _docstring(module: griffe.Object | griffe.Alias) -> str:
    return module.docstring.value if module.docstring else ""


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
    return _docstring(documented).partition("\n")[0].replace("|", "\\|")

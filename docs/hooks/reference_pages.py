"""A reference page for each module, and one that lists them and the public names."""

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
_PARTS = {"": "Modules", "spokes": "Spokes", "zoo": "Zoo"}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the pages in the navigation, the modules of each package together."""
    modules = list(_modules())
    parts = [
        {title: [{_short(name): _place(name)} for name in modules if _part(name) == part]}
        for part, title in _PARTS.items()
    ]
    for entry in config.nav or []:
        if _NAV in entry:
            entry[_NAV] = ["reference/index.md", *parts]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    files.append(File.generated(config, "reference/index.md", content=_index()))
    for name in _modules():
        files.append(File.generated(config, _place(name), content=f"::: {name}\n"))
    return files


def _modules() -> Iterator[str]:
    """Names of all modules, those of a package after the package itself."""
    for path in sorted((_ROOT / "semantic_hub").rglob("*.py")):
        yield ".".join(path.relative_to(_ROOT).with_suffix("").parts).removesuffix(".__init__")


def _part(name: str) -> str:
    """The package below semantic_hub that a module is in, or is."""
    first = name.partition(".")[2].partition(".")[0]
    return first if first in _PARTS else ""


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _place(name: str) -> str:
    return f"reference/{name}.md"


def _index() -> str:
    names = "\n".join(_row(str(name)) for name in _package().exports or ())
    modules = "\n".join(_listed(part, title) for part, title in _PARTS.items())
    return f"{_INTRODUCTION}{names}\n\n{modules}"


@cache
def _package() -> griffe.Module:
    """The package as its source says, which names constants and their docstrings too."""
    package = griffe.load("semantic_hub", search_paths=[_ROOT], resolve_aliases=True)
    assert isinstance(package, griffe.Module)
    return package


def _row(name: str) -> str:
    named = _package()[name]
    home = named.final_target if named.is_alias else named
    return f"| [`{name}`][{home.path}] | {_first_line(home)} |"


def _listed(part: str, title: str) -> str:
    """The modules of a package, each with the first line of its docstring."""
    lines = [
        f"| [`{_short(name)}`]({name}.md) | {_first_line(_package().modules_collection[name])} |"
        for name in _modules()
        if _part(name) == part
    ]
    return "\n".join([f"## {title}\n", "| module | |", "|---|---|", *lines, ""])


def _first_line(documented: griffe.Object | griffe.Alias) -> str:
    text = documented.docstring.value if documented.docstring else ""
    return text.partition("\n")[0].replace("|", "\\|")

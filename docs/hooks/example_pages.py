"""A page for each script in examples/, and one that lists them; a new script appears by itself."""

from pathlib import Path

import jupytext
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_NAV = "Examples"
_INTRODUCTION = """# Examples

One script a task, in cells (`# %%`): run it as it stands, open it in an editor that knows cells, or
make notebooks of all of them with `make notebooks`. Each runs on the bundled model in seconds; the
comment `# real model` says what to load instead.

"""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the pages in the navigation."""
    pages = ["examples/index.md", *(f"examples/{path.stem}.md" for path in _scripts(config))]
    for entry in config.nav or []:
        if _NAV in entry:
            entry[_NAV] = pages
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    pages = {path.stem: page(path.read_text(encoding="utf-8")) for path in _scripts(config)}
    listed = _INTRODUCTION + "\n".join(_entry(name, text) for name, text in pages.items())
    for name, text in {"index": listed, **pages}.items():
        files.append(File.generated(config, f"examples/{name}.md", content=text))
    return files


def page(script: str) -> str:
    r"""A script as Markdown: the text of its cells as it is, their code in fences.

    Example:
        >>> page("# %% [markdown]\n# # Title\n\n# %%\nprint(1)")
        '# Title\n\n```python\nprint(1)\n```'
    """
    cells = jupytext.reads(script, fmt="py:percent").cells
    return "\n\n".join(
        cell.source if cell.cell_type == "markdown" else f"```python\n{cell.source}\n```"
        for cell in cells
    )


def _scripts(config: MkDocsConfig) -> list[Path]:
    return sorted((Path(config.config_file_path).parent / "examples").glob("*.py"))


def _entry(name: str, text: str) -> str:
    """A line of the list: the page's title and what follows it, up to the first cell of code."""
    title, _, about = text.partition("```")[0].strip().removeprefix("# ").partition("\n")
    return f"- [{title}]({name}.md)  \n  {' '.join(about.split())}"

"""The command line: a thin layer over `load_model` and `report`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

app = typer.Typer(add_completion=False, no_args_is_help=True)
_console = Console(stderr=True, emoji=False, soft_wrap=True)


class Dtype(str, Enum):
    """Precisions that weights can be loaded in."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


@app.callback()
def main() -> None:
    """Does a language model process everything in one shared space?"""


@app.command()
def report(
    model: Annotated[
        str, typer.Option(help="hub-mini, a local Hugging Face folder, or a TransformerLens name")
    ] = "hub-mini",
    out: Annotated[Path, typer.Option(help="the page to write")] = Path("report.html"),
    device: Annotated[str | None, typer.Option(help="cpu, cuda, mps; by default the best")] = None,
    dtype: Annotated[Dtype, typer.Option(help="precision of the weights")] = Dtype.float32,
    resamples: Annotated[int, typer.Option(min=1, help="bootstrap resamples")] = 1000,
    permutations: Annotated[int, typer.Option(min=1, help="pairings of the test")] = 1000,
    seed: Annotated[int, typer.Option(help="seed of everything random")] = 0,
) -> None:
    """Measure a model and write one self-contained page."""
    import torch

    import semantic_hub
    from semantic_hub.errors import SemanticHubError
    from semantic_hub.report import check_page_path

    try:
        check_page_path(out)
        with _told() as tell:
            tell(f"loading {model}")
            loaded = semantic_hub.load_model(
                model, device=device, dtype=getattr(torch, dtype.value)
            )
            page = semantic_hub.report(
                loaded,
                resamples=resamples,
                permutations=permutations,
                seed=seed,
                progress=tell,
            )
            place = page.save(out)
    except SemanticHubError as error:
        _console.print(f"[red]error[/red] {escape(str(error))}", highlight=False)
        raise typer.Exit(1) from None
    _console.print(f"wrote {place}", markup=False, highlight=False)


@contextmanager
def _told() -> Iterator[Callable[[str], None]]:
    """A function that shows what is being done: a live line, or plain lines outside a terminal."""
    if not _console.is_terminal:
        yield lambda line: _console.print(line, markup=False, highlight=False)
        return
    with _console.status("") as status:
        yield lambda line: status.update(escape(line))

"""The command line: a thin layer over `load_model`, `report` and `compare`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

from semantic_hub.errors import require

require("typer")
require("rich")
import typer  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.markup import escape  # noqa: E402

if TYPE_CHECKING:
    from semantic_hub.reporting.document import Report

app = typer.Typer(add_completion=False, no_args_is_help=True)
_console = Console(stderr=True, emoji=False, soft_wrap=True)
_MODELS = "hub-mini, a Hugging Face or adapter's folder, a .gguf file, or a TransformerLens name"


class Dtype(str, Enum):
    """Precisions that weights can be loaded in."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


Spokes = Annotated[
    str | None,
    typer.Option(help="names with commas between, such as language,code; by default the model's"),
]
Out = Annotated[Path, typer.Option(help="the page to write")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, mps; by default the best")]
Precision = Annotated[Dtype, typer.Option(help="of the weights; auto is bfloat16 on CUDA")]
Resamples = Annotated[int, typer.Option(min=1, help="bootstrap resamples")]
Permutations = Annotated[int, typer.Option(min=1, help="pairings of the test")]
Seed = Annotated[int, typer.Option(min=0, help="seed of everything random")]


def _version(asked: bool) -> bool:
    """Print the version and stop, if it was asked for."""
    if asked:
        typer.echo(f"semantic-hub {metadata.version('semantic-hub')}")
        raise typer.Exit
    return asked


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="the version")
    ] = False,
) -> None:
    """Measure whether a language model processes everything in one shared space."""


@app.command()
def report(
    model: Annotated[
        str | None, typer.Option(help=f"{_MODELS}; hub-mini if left out", show_default=False)
    ] = None,
    spokes: Spokes = None,
    out: Out = Path("report.html"),
    save: Annotated[
        Path | None, typer.Option(help="a folder for every number, for compare")
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="a folder where each result is kept; the same again goes on from there"),
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, help="how many measure at once, each with a model of its own")
    ] = 1,
    device: Device = None,
    dtype: Precision = Dtype.auto,
    resamples: Resamples = 1000,
    permutations: Permutations = 1000,
    seed: Seed = 0,
) -> None:
    """Measure a model and write one self-contained page.

    With --run and no --model, the page of what has been measured into that folder, without a model.
    Processes that are given the same --run share its sets: several of one machine (--processes), or
    of several machines (torchrun -m semantic_hub report --model ... --run ...).
    """
    from semantic_hub.errors import SemanticHubError
    from semantic_hub.experiment.processes import (
        end_with_parent,
        is_helper,
        n_launched,
        rank,
        with_helpers,
    )
    from semantic_hub.experiment.run_folder import holds_run
    from semantic_hub.reporting.document import report_of_run
    from semantic_hub.reporting.render import check_page_path
    from semantic_hub.results.files import check_writable
    from semantic_hub.statistics.resampling import Resampling

    settings = {
        "resampling": Resampling(resamples=resamples, seed=seed),
        "permutations": permutations,
    }
    with _errors_told(), ExitStack() as stack:
        if is_helper():
            end_with_parent()
        if n_launched() > 1 and (run is None or model is None or processes > 1):
            raise SemanticHubError(
                "report",
                got=f"{n_launched()} processes of a launcher (WORLD_SIZE), "
                f"--run={run}, --model={model}, --processes={processes}",
                expected="a folder that all of them can reach, a model, and no more processes",
                fix="Name both, and leave --processes out.",
            )
        if save is not None:
            check_writable(save, "Report.save_findings")
        check_page_path(out)
        if run is not None and model is None and holds_run(run):
            measured = report_of_run(run)
        else:
            name, folder = model or "hub-mini", run
            if processes > 1 and run is None:
                folder = Path(stack.enter_context(TemporaryDirectory()))
            options = {
                "model": name, "spokes": spokes, "run": folder, "device": device,
                "dtype": dtype.value, "resamples": resamples, "permutations": permutations,
                "seed": seed,
            }  # fmt: skip
            given = [f"--{key}={value}" for key, value in options.items() if value is not None]
            with with_helpers(processes, ["report", *given], folder):
                measured = _measured(name, spokes, device, dtype, {**settings, "folder": folder})
        if rank() > 0:
            return
        _write_each(
            *([] if save is None else [lambda: measured.save_findings(save)]),
            lambda: measured.save(out),
        )


@app.command()
def status(
    run: Annotated[Path, typer.Argument(help="the folder of report --run")],
) -> None:
    """Say how far a run is, what is left, and for how long."""
    from semantic_hub.experiment.run_folder import run_status

    with _errors_told():
        _tell("\n".join(run_status(run).lines()))


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help=f"a folder that report --save wrote, or {_MODELS}")],
    second: Annotated[str, typer.Argument(help="another")],
    spokes: Spokes = None,
    out: Out = Path("compare.html"),
    device: Device = None,
    dtype: Precision = Dtype.auto,
    resamples: Resamples = 1000,
    permutations: Permutations = 1000,
    seed: Seed = 0,
) -> None:
    """Compare two runs on one page; a model without a saved report is measured first.

    The options besides --out are those of report, for what is measured.
    """
    from semantic_hub.reporting.comparison import compare as compared
    from semantic_hub.reporting.document import Report
    from semantic_hub.reporting.render import check_page_path
    from semantic_hub.reporting.storage import holds_report
    from semantic_hub.statistics.resampling import Resampling

    settings = {
        "resampling": Resampling(resamples=resamples, seed=seed),
        "permutations": permutations,
    }
    with _errors_told():
        check_page_path(out, "Comparison.save")
        reports = {
            name: Report.load(place)
            if holds_report(place)
            else _measured(place, spokes, device, dtype, settings)
            for name, place in _named(first, second).items()
        }
        _tell(f"wrote {compared(reports).save(out)}")


def _measured(
    model: str,
    spokes: str | None,
    device: str | None,
    dtype: Dtype,
    settings: dict[str, Any],
) -> "Report":
    from semantic_hub.experiment.processes import own_device
    from semantic_hub.models.loading import load_model
    from semantic_hub.reporting.document import report

    _tell(f"loading {model}")
    loaded = load_model(model, device=own_device(device), dtype=dtype.value)
    names = None if spokes is None else [name.strip() for name in spokes.split(",")]
    return report(loaded, names, **settings)


def _named(first: str, second: str) -> dict[str, str]:
    """What each is called on the page, as briefly as tells them apart."""
    from semantic_hub.errors import SemanticHubError

    if first == second:
        fix = "Name another model, or another folder."
        expected = "two different runs or models"
        raise SemanticHubError("compare", got=f"{first!r} twice", expected=expected, fix=fix)
    short = [Path(place).name for place in (first, second)]
    names = short if len(set(short)) == 2 and all(short) else [first, second]
    return dict(zip(names, (first, second), strict=True))


def _tell(line: str) -> None:
    _console.print(line, markup=False, highlight=False)


def _write_each(*writers: Callable[[], Path]) -> None:
    """Call each function that writes something, even if another fails; then raise what failed."""
    errors = []
    for write in writers:
        try:
            _tell(f"wrote {write()}")
        except Exception as error:
            errors.append(error)
    for error in errors[:-1]:
        with suppress(typer.Exit), _errors_told():
            raise error
    if errors:
        raise errors[-1]


@contextmanager
def _errors_told() -> Iterator[None]:
    """Print a `SemanticHubError` as one line, and exit with code 1 and no traceback."""
    from semantic_hub.errors import SemanticHubError

    try:
        yield
    except SemanticHubError as error:
        _console.print(f"[red]error[/red] {escape(str(error))}", highlight=False)
        raise typer.Exit(1) from None

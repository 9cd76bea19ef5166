"""Progress of a long measurement: a bar where a person watches, plain lines in a log."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from importlib.util import find_spec
from itertools import count
from time import monotonic

from semantic_hub.errors import check_kinds
from semantic_hub.models.bars import in_notebook, in_terminal
from semantic_hub.plotting.text import one_line

Progress = Callable[[str], None]
"""Called with a line of text before each step of a long measurement."""

_Display = Callable[[int, str], None]
"""Shows the number of steps done, and the line of the one that begins; empty at the end."""


@contextmanager
def showing_progress(progress: Progress | bool, total: int) -> Iterator[Progress]:
    """Context with a function that is called with a line of text before each of some steps.

    Args:
        progress: True for a bar on the standard error: tqdm's in a notebook, rich's in a terminal;
            elsewhere a line for each step, with its number and the time left. False for nothing. A
            function is itself called with each line.
        total: Number of steps.

    Yields:
        The function to call.

    Example:
        >>> lines = []
        >>> with showing_progress(lines.append, 2) as step:
        ...     step("similarity, en – es")
        >>> lines
        ['similarity, en – es']
    """
    check_kinds("progress", progress=(progress, (bool, Callable)))
    if callable(progress):
        yield progress
        return
    if not progress:
        yield lambda line: None
        return
    with _display(total) as show:
        done = count()
        yield lambda line: show(next(done), one_line(line))
        show(total, "")


def _display(total: int) -> AbstractContextManager[_Display]:
    if in_notebook() or (in_terminal() and not find_spec("rich")):
        return _tqdm_bar(total)
    return _rich_bar(total) if in_terminal() else _lines(total)


@contextmanager
def _tqdm_bar(total: int) -> Iterator[_Display]:
    from tqdm.auto import tqdm

    with tqdm(total=total) as bar:

        def show(done: int, line: str) -> None:
            bar.set_description_str(line, refresh=False)
            bar.update(done - bar.n)
            bar.refresh()

        yield show


@contextmanager
def _rich_bar(total: int) -> Iterator[_Display]:
    from rich import progress
    from rich.console import Console
    from rich.table import Column

    what = progress.TextColumn(
        "{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")
    )
    columns = (
        progress.MofNCompleteColumn(),
        progress.BarColumn(),
        progress.TimeRemainingColumn(),
        what,
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total)
        yield lambda done, line: bar.update(task, completed=done, description=line)


@contextmanager
def _lines(total: int) -> Iterator[_Display]:
    begun = monotonic()

    def show(done: int, line: str) -> None:
        if line:
            left = _time_left(monotonic() - begun, done, total)
            print(f"{done + 1} of {total}: {line}{left}", file=sys.stderr, flush=True)

    yield show


def _time_left(seconds: float, done: int, total: int) -> str:
    """Time that the other steps take if each takes as long as those that are done.

    Example:
        >>> _time_left(30.0, 1, 4), _time_left(0.0, 0, 4)
        (' (about 0:01:30 left)', '')
    """
    if not done:
        return ""
    return f" (about {timedelta(seconds=round(seconds / done * (total - done)))} left)"

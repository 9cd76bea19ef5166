"""Several processes that measure one run together, and how each knows its part.

They share the sets of a run by its folder (`semantic_hub.experiment.run_folder`) and say nothing to
each other, so they may be started by hand, by `with_helpers`, or by ``accelerate launch`` or
``torchrun``, which name each process in its environment.
"""

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import torch

from semantic_hub.errors import SemanticHubWarning

_HELPER = "SEMANTIC_HUB_HELPER"
"""Environment variable with the number of a process that `with_helpers` started."""


def is_helper() -> bool:
    """Whether `with_helpers` started this process.

    Example:
        >>> is_helper()
        False
    """
    return _HELPER in os.environ


def rank() -> int:
    """Number of this process among those that measure together; 0 writes the page.

    Example:
        >>> rank()
        0
    """
    return int(os.environ.get(_HELPER) or os.environ.get("RANK", "0"))


def n_launched() -> int:
    """Number of processes that a launcher started together.

    Example:
        >>> n_launched()
        1
    """
    return int(os.environ.get("WORLD_SIZE", "1"))


def own_device(device: str | None) -> str | None:
    """The device of this process: of several on one machine with GPUs, each takes its own.

    Args:
        device: What was asked for, which goes before it.

    Example:
        >>> own_device("cpu")
        'cpu'
    """
    if device is None and (is_helper() or n_launched() > 1) and torch.cuda.is_available():
        local = int(os.environ.get(_HELPER) or os.environ.get("LOCAL_RANK", "0"))
        return f"cuda:{local % torch.cuda.device_count()}"
    return device


@contextmanager
def with_helpers(n: int, arguments: Sequence[str], folder: Path | None) -> Iterator[None]:
    """Context in which other processes run the same command; all share the threads.

    A helper that fails is not missed, since its sets are measured by the others: a warning says so.
    Helpers end with this process, also where it is killed.

    Args:
        n: Number of processes, this one among them.
        arguments: Of ``semantic-hub``, the run's folder among them.
        folder: That folder, where ``helper-1.log`` has what the first helper prints; None for one
            process alone.
    """
    if n == 1 or folder is None:
        yield
        return
    before = torch.get_num_threads()
    threads = max(1, before // n)
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "semantic_hub", *arguments]
    helpers = []
    torch.set_num_threads(threads)
    try:
        for number in range(1, n):
            named = {_HELPER: str(number), "OMP_NUM_THREADS": str(threads)}
            with (folder / f"helper-{number}.log").open("wb") as log:
                helper = subprocess.Popen(
                    command,
                    env={**os.environ, **named},
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                )
            helpers.append(helper)
        yield
    finally:
        torch.set_num_threads(before)
        for number, helper in enumerate(helpers, start=1):
            if helper.poll():
                text = (folder / f"helper-{number}.log").read_text(errors="replace")
                lines = [line.strip(" │") for line in text.splitlines()]
                last = [line for line in lines if any(map(str.isalnum, line))][-1:]
                message = f"helper {number} failed, and the others measured its sets: {last}"
                warnings.warn(message, SemanticHubWarning, stacklevel=3)
            with helper:  # closes its pipe, and waits
                helper.terminate()


def end_with_parent() -> None:
    """Let this helper end as soon as the process that started it has."""

    def watch() -> None:
        sys.stdin.buffer.read()  # returns when the other end of the pipe is closed
        os._exit(1)

    Thread(target=watch, daemon=True).start()

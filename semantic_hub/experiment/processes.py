"""Several processes that measure one run together, and how each knows its part.

They share the sets of a run by its folder (`semantic_hub.experiment.run_folder`) and say nothing to
each other, so they may be started by hand, by `with_helpers`, or by ``accelerate launch`` or
``torchrun``, which name each process in its environment.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch


def rank() -> int:
    """Number of this process among those that were started together; 0 writes the page.

    Example:
        >>> rank()
        0
    """
    return int(os.environ.get("RANK", "0"))


def n_processes() -> int:
    """Number of processes that were started together.

    Example:
        >>> n_processes()
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
    if device is None and n_processes() > 1 and torch.cuda.is_available():
        return f"cuda:{int(os.environ.get('LOCAL_RANK', '0')) % torch.cuda.device_count()}"
    return device


@contextmanager
def with_helpers(n: int, arguments: Sequence[str], folder: Path | None) -> Iterator[None]:
    """Context in which other processes run the same command; all share the threads.

    A helper that fails is not missed: its sets are measured by the others.

    Args:
        n: Number of processes, this one among them.
        arguments: Of ``semantic-hub``, the run's folder among them.
        folder: That folder, where ``helper-1.log`` has what the first helper prints; None for one
            process alone.
    """
    if n == 1 or folder is None:
        yield
        return
    threads = max(1, torch.get_num_threads() // n)
    torch.set_num_threads(threads)
    folder.mkdir(parents=True, exist_ok=True)
    own = {"WORLD_SIZE": str(n), "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "semantic_hub", *arguments]
    helpers = []
    try:
        for number in range(1, n):
            named = {"RANK": str(number), "LOCAL_RANK": str(number)}
            with (folder / f"helper-{number}.log").open("wb") as said:
                helpers.append(
                    subprocess.Popen(
                        command, env={**os.environ, **own, **named}, stdout=said, stderr=said
                    )
                )
        yield
    finally:
        for helper in helpers:
            helper.terminate()
            helper.wait()

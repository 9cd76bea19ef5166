"""Time and memory of the similarity statistic against its brute-force form.

``python tests/benchmarks/bench_similarity.py`` prints them. Time is processor time on one thread,
which other work on the machine disturbs less than the clock on the wall. Extra memory is measured
in a process of its own: the highest resident set size that it ever had, less its resident set size
just before the call, when the states already lie in memory and every code path has run once on
tiny arrays.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from semantic_hub.alignment.cosine import paired_interval, paired_p_values, paired_similarity

N_LAYERS, D_MODEL = 33, 1024
TIMED_PAIRS, WEIGHED_PAIRS = 300, 2000
TARGET_RATIO, TARGET_MEGABYTES = 200, 100
REPEATS = 5
CALLS: dict[str, Callable[[Tensor, Tensor], object]] = {
    "similarity": paired_similarity,
    "bootstrap interval (1,000 resamples)": paired_interval,
    "permutation p-values (1,000 pairings)": paired_p_values,
}


def states(n_pairs: int, n_layers: int = N_LAYERS, d_model: int = D_MODEL) -> tuple[Tensor, Tensor]:
    """Two sides of random states, made in place."""
    generator = torch.Generator().manual_seed(0)
    shape = (n_pairs, n_layers, d_model)
    return torch.empty(shape).normal_(generator=generator), torch.empty(shape).normal_(
        generator=generator
    )


def brute_force(x: Tensor, y: Tensor) -> Tensor:
    """Eq. 1 as it is written: the cosine of every x with every y, then the two means."""
    n = len(x)
    similarity = []
    for layer in range(x.shape[1]):
        cosines = torch.cosine_similarity(x[:, None, layer], y[None, :, layer], dim=-1)
        matched = cosines.diagonal().sum()
        similarity.append(matched / n - (cosines.sum() - matched) / (n * (n - 1)))
    return torch.stack(similarity)


def matrix_form(x: Tensor, y: Tensor) -> Tensor:
    """The same by one matrix product for each layer: n² cosines, but a fast library makes them."""
    n = len(x)
    x, y = (torch.nn.functional.normalize(side, dim=-1).transpose(0, 1) for side in (x, y))
    cosines = x @ y.mT
    matched = cosines.diagonal(dim1=1, dim2=2).sum(dim=1)
    return matched / n - (cosines.sum(dim=(1, 2)) - matched) / (n * (n - 1))


def seconds(call: Callable[[Tensor, Tensor], object], x: Tensor, y: Tensor, repeats: int) -> float:
    """The shortest of several runs."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call(x, y)
        times.append(time.process_time() - start)
    return min(times)


def print_times() -> None:
    """Print the time of each form, and of the uncertainty beside it."""
    x, y = states(TIMED_PAIRS)
    start = time.process_time()
    expected = brute_force(x, y)
    brute = time.process_time() - start
    difference = (paired_similarity(x, y) - expected).abs().max().item()
    fast = seconds(paired_similarity, x, y, REPEATS)
    matrix = seconds(matrix_form, x, y, REPEATS)
    print(f"{TIMED_PAIRS} pairs × {N_LAYERS} layers × {D_MODEL} dims, "
          "processor time on 1 thread")  # fmt: skip
    print(f"  brute force, all pairs by broadcasting   {brute:9.3f} s")
    print(f"  n × n matrix product                     {matrix:9.3f} s")
    print(f"  similarity, closed form                  {fast:9.3f} s")
    print(f"  largest difference from brute force      {difference:9.1e}")
    print(f"  brute force / closed form: {brute / fast:.0f}×  "
          f"(target ≥ {TARGET_RATIO}×: {_verdict(brute / fast >= TARGET_RATIO)})")  # fmt: skip
    for name, call in list(CALLS.items())[1:]:
        print(f"  {name:<40} {seconds(call, x, y, repeats=1):9.3f} s")


def print_memory() -> None:
    """Print the extra memory of each call, each from a process of its own."""
    x_megabytes = WEIGHED_PAIRS * N_LAYERS * D_MODEL * 4 / 1e6
    print(f"{WEIGHED_PAIRS} pairs × {N_LAYERS} layers × {D_MODEL} dims: "
          f"states 2 × {x_megabytes:.0f} MB, extra memory at the peak")  # fmt: skip
    for name in CALLS:
        command = [sys.executable, __file__, "--weigh", name]
        root = Path(__file__).resolve().parents[1]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
        output = subprocess.run(command, check=True, capture_output=True, env=environment).stdout
        extra = json.loads(output)
        verdict = _verdict(extra <= TARGET_MEGABYTES)
        print(f"  {name:<40} {extra:9.1f} MB  (target ≤ {TARGET_MEGABYTES} MB: {verdict})")


def extra_megabytes(call: Callable[[Tensor, Tensor], object]) -> float:
    """Highest memory of this process during the call, less what it held before."""
    call(*states(3, 2, 4))
    x, y = states(WEIGHED_PAIRS)
    before = own_megabytes("VmRSS")
    call(x, y)
    return own_megabytes("VmHWM") - before


def own_megabytes(entry: str) -> float:
    """A size of this process as Linux counts it: ``VmRSS`` now, ``VmHWM`` at its highest.

    Not ``getrusage``, whose peak a new process inherits from the one that started it.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(entry))


def _verdict(met: bool) -> str:
    return "met" if met else "MISSED"


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["--weigh"]:
        print(json.dumps(extra_megabytes(CALLS[sys.argv[2]])))
    else:
        print_times()
        print_memory()

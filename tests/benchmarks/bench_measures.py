"""Time and memory of every measure at 20,000 pairs, one layer and 1,024 dimensions.

``python tests/benchmarks/bench_measures.py [measure ...]`` prints them, each measure in a process
of its own. Memory is the highest resident set size of that process, states and libraries included.
Time is processor time on one thread; that of the p-values is split into what comes once and what
comes again for each pairing.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from bench_similarity import own_megabytes, states

from semantic_hub.alignment.measures import MEASURES

N_PAIRS, D_MODEL = 20_000, 1024
TARGET_GIGABYTES = 4
FEW, MORE = 2, 12  # pairings


def measured(name: str, n_pairs: int) -> dict[str, float]:
    """Seconds of each part of a measure, and the memory that it took at its highest."""
    measure, (x, y) = MEASURES[name], states(n_pairs, 1, D_MODEL)
    few, more = (
        seconds(lambda n=number: measure.p_values(x, y, permutations=n)) for number in (FEW, MORE)
    )
    each = max(0.0, more - few) / (MORE - FEW)
    return {
        "value": seconds(lambda: measure(x, y)),
        "interval": seconds(lambda: measure.interval(x, y)),
        "p, once": few - (FEW + 1) * each,
        "p, each": each,
        "gigabytes": own_megabytes("VmHWM") / 1000,
    }


def seconds(call: Callable[[], object]) -> float:
    """Processor time of one call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def print_measure(name: str, n_pairs: int) -> None:
    """One line of the table, from a process of its own."""
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    command = [sys.executable, __file__, "--weigh", name, str(n_pairs)]
    output = subprocess.run(command, check=True, capture_output=True, env=environment).stdout
    found = json.loads(output)
    verdict = "met" if found["gigabytes"] <= TARGET_GIGABYTES else "MISSED"
    print(f"  {name:<30} {found['value']:9.2f} {found['interval']:9.2f} {found['p, once']:9.2f} "
          f"{found['p, each']:9.3f} {found['gigabytes']:8.2f} {verdict}", flush=True)  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["--weigh"]:
        print(json.dumps(measured(sys.argv[2], int(sys.argv[3]))))
    else:
        print(f"{N_PAIRS} pairs × 1 layer × {D_MODEL} dims: seconds on 1 thread, gigabytes "
              f"(target ≤ {TARGET_GIGABYTES})")  # fmt: skip
        print(
            f"  {'':<30} {'value':>9} {'interval':>9} {'p, once':>9} {'p, each':>9} {'memory':>8}"
        )
        for chosen in sys.argv[1:] or MEASURES:
            print_measure(chosen, N_PAIRS)

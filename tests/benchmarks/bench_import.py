"""Time to import semantic_hub over that of transformer_lens.

``python tests/benchmarks/bench_import.py`` prints the difference of the medians of fresh processes.
"""

import statistics
import subprocess
import sys
import time

TARGET, ROUNDS = 0.3, 5


def seconds(module: str) -> float:
    """Time of the import statement alone, in a process of its own."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    start = time.perf_counter()
    modules = ("transformer_lens", "semantic_hub")
    rounds = [[seconds(module) for module in modules] for _ in range(ROUNDS)]
    theirs, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(
        f"import: transformer_lens {theirs:.2f} s, semantic_hub {ours:.2f} s, "
        f"{ours - theirs:+.2f} s (target {TARGET} s), {time.perf_counter() - start:.0f} s in all"
    )


if __name__ == "__main__":
    main()

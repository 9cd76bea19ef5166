"""Sweeps that start where they act against sweeps that run every prompt from its start.

``python tests/benchmarks/bench_interventions.py`` patches the last position at every layer of
hub-mini, controls included; with the folders of real models (see tests/real/fetch.py) as arguments,
of these too. Both ways run in one process; the table gives CPU seconds of the whole sweep, their
ratio, and the largest difference of a log-probability.
"""

import random
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import semantic_hub as sh
from semantic_hub.activations import residuals
from semantic_hub.interventions.patching.pairs import PatchPair
from semantic_hub.interventions.patching.result import PatchResult
from semantic_hub.prompts.prompt import Prompt, encode

WORDS = (
    *("the", "dog", "and", "a", "cat", "run", "by", "the", "tree", "near", "an", "old", "house"),
    *("while", "two", "birds", "sing", "in", "the", "sun"),
)
ANSWERS = ("dog", "cat", "tree", "house", "bird", "sun")
LENGTHS, N_PAIRS = (14, 60), 6


def prompts(model: Any, n_tokens: int, n_prompts: int) -> list[Prompt]:
    """Different prompts of exactly so many tokens."""
    rng = random.Random(n_tokens)
    found: list[Prompt] = []
    while len(found) < n_prompts:
        text = " ".join(rng.choices(WORDS, k=n_tokens))
        [encoding] = encode(model, [text])
        found.append(Prompt(tokens=encoding.tokens[:n_tokens]))
    return found


def patch_pairs(model: Any, n_tokens: int) -> list[PatchPair]:
    both = iter(prompts(model, n_tokens, 2 * N_PAIRS))
    return [
        PatchPair(
            (next(both),),
            next(both),
            {"source": (ANSWERS[i],), "base": (ANSWERS[i - 1],)},
        )
        for i in range(N_PAIRS)
    ]


@contextmanager
def from_the_start() -> Iterator[None]:
    """Context in which no sweep starts where it acts."""
    starts = residuals.starts_where_it_acts
    residuals.starts_where_it_acts = lambda *_: False
    try:
        yield
    finally:
        residuals.starts_where_it_acts = starts


def timed(model: Any, pairs: list[PatchPair]) -> tuple[float, PatchResult]:
    """CPU seconds of a sweep, and its result."""
    start = time.process_time()
    found = sh.patching_sweep(model, pairs)
    return time.process_time() - start, found


def compare(name: str, model: Any, n_tokens: int) -> str:
    pairs = patch_pairs(model, n_tokens)
    sh.patching_sweep(model, pairs[:2], layers=[1])  # tests the model, once
    seconds, begun = timed(model, pairs)
    with from_the_start():
        before, whole = timed(model, pairs)
    results = [(begun, whole), *((begun.controls[c], whole.controls[c]) for c in begun.controls)]
    gap = max((a.log_prob - b.log_prob).abs().max().item() for a, b in results)
    return (
        f"{name}, patching the last of {n_tokens} positions at {len(begun.layers)} layers of "
        f"{len(begun.kept)} pairs, with {len(begun.controls)} controls: {seconds:.1f} s, from the "
        f"start {before:.1f} s, {before / seconds:.1f} x; largest difference {gap:.0e}"
    )


def main(folders: list[str]) -> None:
    warnings.simplefilter("ignore")
    for name in folders or ["hub-mini"]:
        model = sh.load_model(name, device="cpu")
        for n_tokens in LENGTHS:
            if n_tokens <= model.cfg.n_ctx:
                print(compare(name.rsplit("/")[-1], model, n_tokens), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

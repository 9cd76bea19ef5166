"""`patching_sweep` against one forward pass for each cell, with TransformerLens alone.

``python tests/benchmarks/bench_patching.py`` patches the stream of hub-mini at 8 layers × every
position of 100 sums, and prints the times and how far the effects are apart. Two baselines: one
pass for each layer, position and prompt, on a tenth of the prompts, times ten; and one pass for
each layer and position, all prompts together, as `transformer_lens.patching` does.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import torch

import semantic_hub as sh
from semantic_hub.interventions.patching.pairs import PatchPair, single_positions
from semantic_hub.interventions.patching.result import PatchResult
from semantic_hub.models.layers import layer_hook
from semantic_hub.prompts.prompt import Prompt

Result = TypeVar("Result")
LAYERS, PROMPTS, TARGET = range(1, 9), 100, 5.0


def patch_pairs() -> list[PatchPair]:
    """Questions of as many tokens each, from English into English."""
    sums = [p for p in sh.spokes.arithmetic.problems("+") if p.result < 20][:PROMPTS]
    words = [sh.spokes.numbers.number_word(number, "en") for number in range(10)]
    asked = [(Prompt(p.question("en")), words[p.right]) for p in sums]
    others = asked[1:] + asked[:1]
    return [
        PatchPair((source,), base, {"source": (said,), "other": (words[-1 - words.index(said)],)})
        for (source, said), (base, _) in zip(asked, others, strict=True)
    ]


@torch.inference_mode()
def by_hand(model, items: list[PatchPair], together: bool) -> torch.Tensor:
    """Differences of the targets' logits, ``[item layer position]``."""
    sources = model.to_tokens([item.sources[0].text for item in items])
    bases = model.to_tokens([item.base.text for item in items])
    names = [layer_hook(layer) for layer in LAYERS]
    _, cache = model.run_with_cache(sources, names_filter=lambda name: name in names)
    spelt = [[[s + word for s in ("", " ")] for (word,) in i.answers.values()] for i in items]
    ids = torch.tensor(
        [[[model.to_tokens(s, prepend_bos=False)[0, -1] for s in g] for g in i] for i in spelt]
    )
    rows = [slice(None)] if together else [slice(i, i + 1) for i in range(len(items))]
    n_positions = bases.shape[1] - 1
    found = torch.empty(len(items), len(LAYERS), n_positions)
    for i, name in enumerate(names):
        for position in range(n_positions):
            for some in rows:
                hook = partial(overwrite, cache[name][some], position + 1)
                logits = model.run_with_hooks(bases[some], fwd_hooks=[(name, hook)])[:, -1]
                best = logits[:, None].expand(-1, 2, -1).gather(2, ids[some]).amax(dim=2)
                found[some, i, position] = best[:, 0] - best[:, 1]
    return found


def overwrite(source: torch.Tensor, position: int, value: torch.Tensor, hook) -> torch.Tensor:
    value[:, position] = source[:, position]
    return value


def timed(call: Callable[[], Result]) -> tuple[float, Result]:
    start = time.perf_counter()
    found = call()
    return time.perf_counter() - start, found


def main() -> None:
    model, items = sh.load_model("hub-mini"), patch_pairs()
    n_positions = model.to_tokens(items[0].base.text).shape[1] - 1

    def ours() -> PatchResult:
        places = single_positions(range(n_positions))
        return sh.patching_sweep(model, items, layers=LAYERS, position_maps=places, controls=False)

    ours()
    seconds, swept = timed(ours)
    (own, reference) = (
        run[:, 0] - run[:, 1] for run in (swept.base_log_prob, swept.reference_log_prob)
    )
    single, alone = timed(lambda: by_hand(model, items[::10], together=False))
    batched, together = timed(lambda: by_hand(model, items, together=True))
    single *= 10

    def gap(differences: torch.Tensor, some: slice) -> float:
        """Between effects over all these prompts: ratios of means, as `PatchResult.effect`."""
        given = swept.log_prob[some, ..., 0] - swept.log_prob[some, ..., 1]
        distance = (reference - own)[some].mean()
        return ((given - differences).mean(dim=0) / distance).abs().max().item()

    print(
        f"patching_sweep, {len(LAYERS)} layers x {n_positions} positions x {len(items)} prompts: "
        f"{seconds:.2f} s; one pass per cell and prompt {single:.1f} s, {single / seconds:.1f} x "
        f"(target {TARGET:.0f} x); one pass per cell {batched:.2f} s, {batched / seconds:.1f} x; "
        f"largest difference of an effect {gap(alone, slice(None, None, 10)):.1e}, "
        f"{gap(together, slice(None)):.1e}"
    )


if __name__ == "__main__":
    main()

"""`residual_stream` against the bare forward pass on the same batches.

``python tests/benchmarks/bench_residuals.py`` prints the ratio of their times, the median of
several rounds in which the two take turns. Prompts are given as token ids: tokenizing is no part of
a forward pass.
"""

import statistics
import time
from collections.abc import Callable

import torch

import semantic_hub as sh
from semantic_hub.activations.batches import batch_indices, pad
from semantic_hub.models.layers import running_to_layer
from semantic_hub.prompts.prompt import Prompt, encode
from semantic_hub.zoo.world.spokes import spokes_of

TARGET, ROUNDS = 1.10, 15


def prompts(model) -> list[Prompt]:
    _, arithmetic, *_ = spokes_of(model) or ()
    texts = [prompt for pairs in arithmetic.pairs().values() for prompt in pairs.x]
    return [Prompt(tokens=encoding.tokens) for encoding in encode(model, texts)]


def bare_pass(model, asked) -> Callable[[], None]:
    """Forward passes through every block, on the batches that `residual_stream` makes."""
    encodings = encode(model, asked)
    batches = [pad(model, encodings, rows) for rows in batch_indices([len(e) for e in encodings])]

    @torch.inference_mode()
    def run() -> None:
        with running_to_layer(model, model.cfg.n_layers, []) as forward:
            for batch in batches:
                forward(batch.tokens, batch.attention_mask)

    return run


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def line(backend: str) -> str:
    model = sh.load_model("hub-mini", backend=backend)
    asked = prompts(model)
    bare = bare_pass(model, asked)
    rounds = [
        (seconds(bare), seconds(lambda: sh.residual_stream(model, asked))) for _ in range(ROUNDS)
    ]
    plain, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(b / a for a, b in rounds)
    return (
        f"residual_stream, {backend}: {ours:.3f} s for {len(asked)} prompts at every layer, "
        f"bare forward pass {plain:.3f} s, ratio {ratio:.2f} (target {TARGET:.2f})"
    )


def main() -> None:
    for backend in ("hooked", "bridge"):
        print(line(backend))


if __name__ == "__main__":
    main()

"""Evidence 3: activations of one run moved into another, and what the model then says.

Sources: Vig et al. 2020, arXiv 2004.12265, and Meng et al. 2022, arXiv 2202.05262 (activation
patching); Dumas et al. 2024, arXiv 2411.08745 (concepts moved across languages, donors averaged
over languages); Wu et al. 2025, arXiv 2411.04986 (the question).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.patching.components import Component, check_component
from semantic_hub.interventions.patching.donors import Transplant, transplants
from semantic_hub.interventions.patching.exchange import LAST, Alignment, Exchange
from semantic_hub.interventions.patching.result import PatchResult
from semantic_hub.interventions.patching.runs import PatchRuns
from semantic_hub.models.layers import check_layers
from semantic_hub.models.loading import check_decoder
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Prompt, PromptLike, Readout, as_prompt
from semantic_hub.prompts.words import candidate_tokens
from semantic_hub.results import manifest
from semantic_hub.statistics.resampling import Resampling


def patch(
    model: HookedModel,
    donor: PromptLike | Sequence[str | Prompt],
    recipient: PromptLike,
    *,
    targets: Mapping[str, tuple[str, ...]] | tuple[str, str],
    component: Component = "resid",
    layers: Sequence[int] | None = None,
    alignment: Alignment = LAST,
    reference: PromptLike | None = None,
    from_layer_on: bool = False,
) -> PatchResult:
    """Move a donor's activations into one recipient, layer by layer: `patching_sweep` of one item.

    Args:
        model: A decoder.
        donor: One prompt, or several texts or `Prompt` objects whose activations are averaged.
        recipient: The prompt that is changed; the next word is read at its ``position``.
        targets: Two words, the donor's first; or groups of words by name, as in `Exchange`.
        component: ``"resid"``, ``"attn"``, ``"mlp"`` or ``"head"``.
        layers: Which layers; None for all (0..n_layers for the stream, 1..n_layers for others).
        alignment: Which positions go where.
        reference: The run that counts as 1; None for the (first) donor's own.
        from_layer_on: Patch every layer from each on, not it alone.

    Raises:
        SemanticHubError: As `patching_sweep`.

    Example:
        >>> import semantic_hub as sh
        >>> model = sh.load_model("hub-mini")
        >>> found = sh.patch(model, "nueve es igual a seis más", "five equals one plus",
        ...                  reference="nine equals six plus", targets=("three", "four"))
        >>> found.effect().value.shape
        torch.Size([9, 1])
    """
    several = not isinstance(donor, str | Prompt) and all(
        isinstance(d, str | Prompt) for d in donor
    )
    exchange = Exchange(
        tuple(map(as_prompt, donor)) if several else (as_prompt(donor),),  # type: ignore[arg-type]
        as_prompt(recipient),
        _named(targets),
        None if reference is None else as_prompt(reference),
    )
    return patching_sweep(
        model,
        [exchange],
        component=component,
        layers=layers,
        alignments={"patch": alignment},
        from_layer_on=from_layer_on,
        controls=False,
    )


def patching_sweep(
    model: HookedModel,
    exchanges: Sequence[Exchange],
    *,
    component: Component = "resid",
    layers: Sequence[int] | None = None,
    alignments: Mapping[str, Alignment] | None = None,
    heads: Sequence[int] | None = None,
    from_layer_on: bool = False,
    controls: bool = True,
    batch_size: int | Literal["auto"] = "auto",
    resampling: Resampling = Resampling(),
) -> PatchResult:
    """Patch every exchange at every layer and place, many of them in each forward pass.

    Donors run once. Then each row of a batch is a recipient with one patch of its own, so that
    layers, places and exchanges share forward passes; only the logits of the position where the
    next word is read are computed.

    Args:
        model: A decoder.
        exchanges: What goes where, all with the same names of targets.
        component: ``"resid"``: the residual stream; ``"attn"`` and ``"mlp"``: what a block's
            attention or MLP adds to it; ``"head"``: single heads.
        layers: Which layers; None for all: 0..n_layers for the stream, 1..n_layers (the blocks)
            for its parts.
        alignments: Places by name; None for the last position alone. `single_positions` makes one
            for each position.
        heads: Which heads; None for all. Only for ``component="head"``.
        from_layer_on: Patch every layer from each on, not it alone.
        controls: Also move a placebo (random activations of the donor's norm) and the activations
            of another exchange's donor, whose first target differs.
        batch_size: Rows per forward pass.
        resampling: Resamples, coverage and seed of the intervals.

    Returns:
        Targets in every patched run; exchanges whose targets cannot be scored are dropped and
        counted (see `semantic_hub.prompts.words.candidate_tokens`).

    Raises:
        SemanticHubError: No exchange with usable targets (two that share a token, unknown words),
            an unknown component, or one whose hook is not what the block adds to the stream on
            this architecture, an alignment that does not fit, a layer, head or position out of
            range, an encoder.

    Example:
        >>> import semantic_hub as sh
        >>> from semantic_hub.interventions.patching.exchange import Exchange
        >>> from semantic_hub.prompts.prompt import Prompt
        >>> exchange = Exchange((Prompt("9=6+"),), Prompt("5=1+"), {"donor": ("3",), "own": ("4",)})
        >>> sh.patching_sweep(sh.load_model("hub-mini"), [exchange], controls=False).places
        ('last',)
    """
    check_decoder(model, "patch")
    part = check_component(model, component)
    wanted = _check_layers(model, part, layers)
    named = {"last": LAST} if alignments is None else dict(alignments)
    chosen_heads = _check_heads(model, part, heads)
    tokens = candidate_tokens(model.tokenizer, [Readout(e.recipient, e.targets) for e in exchanges])
    kept = [exchanges[index] for index in tokens.kept]
    reached = range(min(wanted), model.cfg.n_layers + 1) if from_layer_on else wanted
    moved = transplants(model, kept, list(named.values()), part, reached)
    runs = PatchRuns(
        model, kept, tokens.tokens, part, wanted, reached, chosen_heads, from_layer_on, batch_size
    )
    about = manifest(
        model,
        measure="patching_sweep",
        component=part,
        from_layer_on=from_layer_on,
        n_exchanges=len(exchanges),
        dropped=dict(tokens.dropped),
        resampling=resampling,
    )
    own, reference = runs.unpatched()

    def result(given: Grid) -> PatchResult:
        log_prob, rank = runs.patched(given)
        return PatchResult(
            component=part,
            from_layer_on=from_layer_on,
            layers=tuple(wanted),
            places=tuple(_place_names(named, chosen_heads)),
            targets=tokens.groups,
            kept=tokens.kept,
            dropped=dict(tokens.dropped),
            log_prob=log_prob,
            rank=rank,
            own=own,
            reference=reference,
            manifest=about,
            resampling=resampling,
        )

    others = _controls(moved, tokens.tokens, resampling.seed) if controls else {}
    return replace(result(moved), controls={name: result(given) for name, given in others.items()})


Grid = Sequence[Sequence[Transplant]]
"""``[exchange][alignment]``."""


def _controls(moved: Grid, tokens: Sequence[Sequence[Sequence[int]]], seed: int) -> dict[str, Grid]:
    """The placebo, and another exchange's donor where every exchange has one that fits."""
    generator = torch.Generator().manual_seed(seed)
    found: dict[str, Grid] = {"placebo": [[t.placebo(generator) for t in row] for row in moved]}
    others = [_other(item, moved, tokens) for item in range(len(moved))]
    if None not in others:
        found["another donor"] = [
            [replace(own, values=new.values) for own, new in zip(row, moved[other], strict=True)]
            for row, other in zip(moved, others, strict=True)
            if other is not None
        ]
    return found


def _other(item: int, moved: Grid, tokens: Sequence[Sequence[Sequence[int]]]) -> int | None:
    """The next exchange that names another first target and moves as many positions."""
    for step in range(1, len(moved)):
        other = (item + step) % len(moved)
        fits = [len(t.positions) for t in moved[other]] == [len(t.positions) for t in moved[item]]
        if fits and not set(tokens[other][0]) & {t for group in tokens[item] for t in group}:
            return other
    return None


def _named(
    targets: Mapping[str, tuple[str, ...]] | tuple[str, str],
) -> Mapping[str, tuple[str, ...]]:
    if isinstance(targets, Mapping):
        return targets
    if isinstance(targets, str) or len(targets) != 2:
        raise SemanticHubError(
            "patch",
            got=f"targets={targets!r}",
            expected="two words, or groups of words by name",
            fix="Give the word for the donor's concept, and the one that it is compared with.",
        )
    return {"donor": (targets[0],), "recipient": (targets[1],)}


def _check_layers(
    model: HookedModel, component: Component, layers: Sequence[int] | None
) -> list[int]:
    first = 0 if component == "resid" else 1
    wanted = check_layers(model, range(first, model.cfg.n_layers + 1) if layers is None else layers)
    if min(wanted) < first:
        raise SemanticHubError(
            "patch",
            got=f"layer 0 of component {component!r}",
            expected=f"layers 1 to {model.cfg.n_layers}: layer k is block k's",
            fix="Leave layers out for all of them.",
        )
    return wanted


def _check_heads(
    model: HookedModel, component: Component, heads: Sequence[int] | None
) -> tuple[int | None, ...]:
    """The heads to patch one by one; a single None for the other components."""
    n_heads = model.cfg.n_heads
    if component != "head" and heads is None:
        return (None,)
    chosen = tuple(range(n_heads) if heads is None else map(int, heads))
    if component != "head" or not chosen or not all(0 <= head < n_heads for head in chosen):
        raise SemanticHubError(
            "patch",
            got=f"heads={heads!r} with component {component!r}",
            expected=f'component "head" and heads 0 to {n_heads - 1}',
            fix='Leave heads out, or set component="head".',
        )
    return chosen


def _place_names(alignments: Mapping[str, Alignment], heads: Sequence[int | None]) -> Iterator[str]:
    for name in alignments:
        for head in heads:
            yield name if head is None else f"{name}, head {head}"

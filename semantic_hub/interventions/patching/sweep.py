"""Activation patching: activations of one run put into another, and the answer that results.

Sources: Vig et al. 2020, arXiv 2004.12265, and Meng et al. 2022, arXiv 2202.05262 (activation
patching); Dumas et al. 2024, arXiv 2411.08745 (concepts moved across languages, sources averaged
over languages); Wu et al. 2025, arXiv 2411.04986 (the question).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import nan
from typing import Literal

import torch

from semantic_hub.errors import SemanticHubError, as_list, as_seed, check_kinds
from semantic_hub.interventions.controls import ANOTHER_SOURCE, PLACEBO, STATES_PLACEBO
from semantic_hub.interventions.patching.components import Component, check_component
from semantic_hub.interventions.patching.pairs import (
    BASE_ANSWER,
    LAST_TO_LAST,
    PatchPair,
    PositionMap,
)
from semantic_hub.interventions.patching.result import PATCHED, PatchResult, logit_difference
from semantic_hub.interventions.patching.runs import PatchRuns
from semantic_hub.interventions.patching.sources import (
    PatchGrid,
    collect_source_activations,
    states_placebo,
)
from semantic_hub.models.layers import check_layers
from semantic_hub.models.loading import check_decoder
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import PromptLike, Prompts, Readout, as_prompt, as_prompts
from semantic_hub.prompts.words import candidate_tokens
from semantic_hub.results.result import manifest
from semantic_hub.statistics.resampling import Resampling


def patch(
    model: HookedModel,
    source: Prompts,
    base: PromptLike,
    *,
    answers: Mapping[str, tuple[str, ...]] | tuple[str, str],
    component: Component = "resid",
    layers: int | Sequence[int] | None = None,
    position_map: PositionMap = LAST_TO_LAST,
    reference: PromptLike | None = None,
    all_later_layers: bool = False,
) -> PatchResult:
    """Patch a source's activations into one base prompt, layer by layer.

    It is `patching_sweep` of one patch pair, without controls.

    Args:
        model: A decoder.
        source: One prompt (text, `Prompt` or token ids), or a sequence of prompts whose
            activations are averaged.
        base: The prompt that is changed; the next word is read at its ``position``.
        answers: Two words, the source's and the base's own; or groups of words by name, as in
            `PatchPair`.
        component: ``"resid"``, ``"attn"``, ``"mlp"`` or ``"head"``.
        layers: Which layers; None for all (0..n_layers for the stream, 1..n_layers for others).
        position_map: Which positions go where.
        reference: The run that counts as 1; None for the (first) source itself.
        all_later_layers: Patch every layer from each on, not it alone.

    Raises:
        SemanticHubError: As `patching_sweep`.

    Example:
        >>> import semantic_hub as sh
        >>> model = sh.load_model("hub-mini")
        >>> result = sh.patch(model, "nueve es igual a seis más", "five equals one plus",
        ...                   reference="nine equals six plus", answers=("three", "four"))
        >>> result.normalized_logit_diff().value.shape
        torch.Size([9, 1])
    """
    check_kinds(
        "patch",
        position_map=(position_map, PositionMap),
        all_later_layers=(all_later_layers, bool),
    )
    pair = PatchPair(
        tuple(as_prompts("patch", "source", source)),
        as_prompt(base, "patch", "base"),
        _answer_groups(answers),
        None if reference is None else as_prompt(reference, "patch", "reference"),
    )
    return patching_sweep(
        model,
        [pair],
        component=component,
        layers=layers,
        position_maps={"patch": position_map},
        all_later_layers=all_later_layers,
        controls=False,
    )


def patching_sweep(
    model: HookedModel,
    patch_pairs: PatchPair | Sequence[PatchPair],
    *,
    component: Component = "resid",
    layers: int | Sequence[int] | None = None,
    position_maps: Mapping[str, PositionMap] | None = None,
    heads: int | Sequence[int] | None = None,
    all_later_layers: bool = False,
    controls: bool = True,
    batch_size: int | Literal["auto"] = "auto",
    resampling: Resampling = Resampling(),
) -> PatchResult:
    """Patch every pair at every layer and place, many of them in each forward pass.

    Sources run once, and so do bases. Then each row of a batch is a base with one patch of its own,
    so that layers, places, pairs and controls share forward passes. A row joins its batch at the
    patched layer, and goes on from the base's keys and values before the patched position (see
    `semantic_hub.activations.growing`); only the logits of the position where the next word is read
    are computed.

    Args:
        model: A decoder.
        patch_pairs: What goes where, all with the same names of answers.
        component: ``"resid"``: the residual stream; ``"attn"`` and ``"mlp"``: what a block's
            attention or MLP adds to it; ``"head"``: single heads.
        layers: Which layers; None for all: 0..n_layers for the stream, 1..n_layers (the blocks)
            for its parts.
        position_maps: Maps of positions by name; None for the last position alone.
            `single_positions` makes one for each position.
        heads: Which heads; None for all. Only for ``component="head"``.
        all_later_layers: Patch every layer from each on, not it alone.
        controls: Also patch in a placebo (random activations of the source's norm), with three
            pairs or more a second one (random, of the source's norm, in the covariance of the other
            pairs' activations), and the activations of another pair's source, whose first answer
            differs. Controls are scored for what they are compared in: the difference of the first
            two answers, and whether an answer is on top.
        batch_size: Rows per forward pass.
        resampling: Resamples, coverage and seed of the intervals.

    Returns:
        Answers in every patched run; pairs whose answers cannot be scored are dropped and counted
        (see `semantic_hub.prompts.words.candidate_tokens`).

    Raises:
        SemanticHubError: No pair with usable answers (two that share a token, unknown words), an
            unknown component, or one whose hook is not what the block adds to the stream on this
            architecture, no position map, one that does not fit, or one that patches only what
            stands behind the position where the next word is read, a layer, head or position out of
            range, an encoder.

    Example:
        >>> import semantic_hub as sh
        >>> from semantic_hub.interventions.patching.pairs import PatchPair
        >>> from semantic_hub.prompts.prompt import Prompt
        >>> pair = PatchPair((Prompt("9=6+"),), Prompt("5=1+"), {"source": ("3",), "base": ("4",)})
        >>> sh.patching_sweep(sh.load_model("hub-mini"), [pair], controls=False).places
        ('last',)
    """
    check_decoder(model, "patch")
    patch_pairs = as_list("patching_sweep", "patch_pairs", patch_pairs, PatchPair)
    check_kinds(
        "patching_sweep",
        position_maps=(position_maps, (Mapping, None)),
        all_later_layers=(all_later_layers, bool),
        controls=(controls, bool),
        resampling=(resampling, Resampling),
    )
    part = check_component(model, component)
    chosen_layers = _check_layers(model, part, layers)
    maps = {"last": LAST_TO_LAST} if position_maps is None else dict(position_maps)
    if not maps:
        raise SemanticHubError(
            "patching_sweep",
            got="no position maps",
            expected="at least one",
            fix="Leave position_maps out for the last position.",
        )
    chosen_heads = _check_heads(model, part, heads)
    tokens = candidate_tokens(model, [Readout(pair.base, pair.answers) for pair in patch_pairs])
    kept = [patch_pairs[index] for index in tokens.kept]
    n_layers = model.cfg.n_layers
    patched_layers = range(min(chosen_layers), n_layers + 1) if all_later_layers else chosen_layers
    sources = collect_source_activations(model, kept, list(maps.values()), part, patched_layers)
    patches = sources.patches
    runs = PatchRuns(
        model=model,
        pairs=kept,
        words=tokens.words,
        component=part,
        layers=chosen_layers,
        patched_layers=patched_layers,
        heads=chosen_heads,
        all_later_layers=all_later_layers,
        batch_size=batch_size,
    )
    provenance = manifest(
        model,
        measure="patching_sweep",
        component=part,
        all_later_layers=all_later_layers,
        n_patch_pairs=len(patch_pairs),
        dropped=dict(tokens.dropped),
        resampling=resampling,
    )
    others = _control_grids(patches, tokens.tokens, resampling.seed) if controls else {}
    scores = runs.scores(patches, others, sources.final)

    def result_of(grid: str) -> PatchResult:
        value, rank = scores.patched[grid]
        return PatchResult(
            component=part,
            all_later_layers=all_later_layers,
            n_layers=n_layers,
            layers=tuple(chosen_layers),
            places=tuple(_place_names(maps, chosen_heads)),
            answers=tokens.groups,
            effect_answer=tokens.groups[0],
            kept=tokens.kept,
            dropped=dict(tokens.dropped),
            log_prob=value if grid == PATCHED else torch.full_like(value, nan),
            logit_diff=logit_difference(value),
            rank=rank,
            base_answer=BASE_ANSWER if BASE_ANSWER in tokens.groups else "",
            base_log_prob=scores.base.log_prob,
            base_rank=scores.base.rank,
            reference_log_prob=scores.reference.log_prob,
            reference_rank=scores.reference.rank,
            manifest=provenance,
            resampling=resampling,
        )

    return replace(result_of(PATCHED), controls={name: result_of(name) for name in others})


def _answer_groups(
    answers: Mapping[str, tuple[str, ...]] | tuple[str, str],
) -> Mapping[str, tuple[str, ...]]:
    """Groups of answers by name; two words are the source's and the base's."""
    if isinstance(answers, Mapping):
        return answers
    words = as_list("patch", "answers", answers, str)
    if len(words) != 2:
        raise SemanticHubError(
            "patch",
            got=f"answers={answers!r}",
            expected="two words, or groups of words by name",
            fix="Give the word for the source's concept, and the base's own.",
        )
    return {"source": (words[0],), BASE_ANSWER: (words[1],)}


def _check_layers(
    model: HookedModel, component: Component, layers: int | Sequence[int] | None
) -> list[int]:
    """Layers of a component; raise where it has none at a layer."""
    first = 0 if component == "resid" else 1
    chosen = check_layers(model, range(first, model.cfg.n_layers + 1) if layers is None else layers)
    if min(chosen) < first:
        raise SemanticHubError(
            "patch",
            got=f"layer 0 of component {component!r}",
            expected=f"layers 1 to {model.cfg.n_layers}: layer k is block k's",
            fix="Leave layers out for all of them.",
        )
    return chosen


def _check_heads(
    model: HookedModel, component: Component, heads: int | Sequence[int] | None
) -> tuple[int | None, ...]:
    """The heads to patch one by one; a single None for the other components."""
    n_heads = model.cfg.n_heads
    if component != "head" and heads is None:
        return (None,)
    chosen = tuple(
        range(n_heads) if heads is None else as_list("patching_sweep", "heads", heads, int)
    )
    if component != "head" or not chosen or not all(0 <= head < n_heads for head in chosen):
        raise SemanticHubError(
            "patch",
            got=f"heads={heads!r} with component {component!r}",
            expected=f'component "head" and heads 0 to {n_heads - 1}',
            fix='Leave heads out, or set component="head".',
        )
    return chosen


def _place_names(
    position_maps: Mapping[str, PositionMap], heads: Sequence[int | None]
) -> Iterator[str]:
    """Name of each position map, with the head where heads are patched."""
    for name in position_maps:
        for head in heads:
            yield name if head is None else f"{name}, head {head}"


def _control_grids(
    patches: PatchGrid, tokens: Sequence[Sequence[Sequence[int]]], seed: int
) -> dict[str, PatchGrid]:
    """The placebos, and another pair's source where every pair has one that fits."""
    generator = torch.Generator().manual_seed(as_seed(seed))
    grids: dict[str, PatchGrid] = {
        PLACEBO: [[patch.placebo(generator) for patch in row] for row in patches]
    }
    if (like_states := states_placebo(patches, generator)) is not None:
        grids[STATES_PLACEBO] = like_states
    others = [_other_pair(item, patches, tokens) for item in range(len(patches))]
    if None not in others:
        grids[ANOTHER_SOURCE] = [
            [replace(patch, values=new.values) for patch, new in zip(row, patches[i], strict=True)]
            for row, i in zip(patches, others, strict=True)
            if i is not None
        ]
    return grids


def _other_pair(
    item: int, patches: PatchGrid, tokens: Sequence[Sequence[Sequence[int]]]
) -> int | None:
    """The next pair with another first answer, and as many positions to patch."""
    sizes = [[len(patch.positions) for patch in row] for row in patches]
    answers = {token for group in tokens[item] for token in group}
    for step in range(1, len(patches)):
        other = (item + step) % len(patches)
        if sizes[other] == sizes[item] and not set(tokens[other][0]) & answers:
            return other
    return None

"""Patchscopes: decode a state by putting it into an identity prompt.

Source: Ghandeharioun et al. 2024, Patchscopes, arXiv 2401.06102.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from semantic_hub.activations.captures import Overwrite
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.lenses.lens import LOGIT
from semantic_hub.lenses.topk import TopTokens, likeliest, read_texts
from semantic_hub.models.layers import check_layers, layer_hook
from semantic_hub.models.loading import check_decoder
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.positions import Positions, read_positions
from semantic_hub.prompts.prompt import PromptLike, Prompts, as_prompt, as_prompts, encode
from semantic_hub.results.result import manifest

IDENTITY_PROMPT = "cat -> cat\n1135 -> 1135\nhello -> hello\n?"
"""Few-shot repetition: the model repeats the state at the last token."""


def patchscope(
    model: HookedModel,
    sources: Prompts,
    *,
    positions: Positions = "last",
    layers: int | Sequence[int] | None = None,
    identity_prompt: PromptLike = IDENTITY_PROMPT,
    target_layer: int | None = None,
    k: int = 10,
    batch_size: int | Literal["auto"] = "auto",
) -> TopTokens:
    """Patch each state of the sources into an identity prompt, and read the next token.

    The state overwrites the stream at the identity prompt's last token (or its ``position``), at
    the layer that it comes from, unless `target_layer` names another. The logit lens asks what the
    unembedding makes of a state, this asks what the rest of the model makes of it.

    Args:
        model: A decoder.
        sources: Prompts that the states come from.
        positions: Where in each source, as in `semantic_hub.residual_stream`; several positions are
            averaged.
        layers: The layers that states come from, 0..n_layers; None for all.
        identity_prompt: What they are put into.
        target_layer: The layer at which they are put in; None for the one that they come from.
        k: How many tokens.
        batch_size: Prompts per forward pass.

    Returns:
        The k likeliest next tokens for each source and layer.

    Raises:
        SemanticHubError: An encoder, no sources, or a layer, position or k out of range.

    Example:
        >>> import semantic_hub as sh
        >>> from semantic_hub.interventions.patching.scope import patchscope
        >>> model = sh.load_model("hub-mini")
        >>> decoded = patchscope(model, ["dix égale sept plus"], layers=[6], k=1,
        ...                      identity_prompt="eight equals four plus")
        >>> tuple(decoded.tokens.shape)
        (1, 1, 1)
    """
    check_decoder(model, "patchscope")
    sources = as_prompts("patchscope", "sources", sources)
    asked = as_prompt(identity_prompt, "patchscope", "identity_prompt")
    from_layers = check_layers(model, layers)
    to_layers = from_layers
    if target_layer is not None:
        to_layers = check_layers(model, [target_layer]) * len(from_layers)
    states = residual_stream(
        model, sources, positions=positions, layers=from_layers, batch_size=batch_size
    )
    position = _last_position(model, asked)
    cells = [(source, column) for source in range(len(sources)) for column in range(len(to_layers))]

    def overwrites_at(layer: int) -> Callable[[int], Overwrite | None]:
        def overwrite_of(row: int) -> Overwrite | None:
            source, column = cells[row]
            if to_layers[column] != layer:
                return None
            return Overwrite((position,), states[source, column][None])

        return overwrite_of

    final = residual_stream(
        model,
        [asked] * len(cells),
        layers=[model.cfg.n_layers],
        batch_size=batch_size,
        overwrites={layer_hook(layer): overwrites_at(layer) for layer in dict.fromkeys(to_layers)},
    )
    return likeliest(
        model,
        final.reshape(len(sources), len(from_layers), -1),
        k=k,
        lens=LOGIT,
        prompts=read_texts(model, sources),
        layers=from_layers,
        provenance=manifest(
            model,
            measure="patchscope",
            identity_prompt=read_texts(model, [asked])[0],
            target_layer=target_layer,
        ),
    )


def _last_position(model: HookedModel, prompt: PromptLike) -> int:
    """Index into the prompt's tokens where its next word is read."""
    encodings = encode(model, [prompt])
    ((position,),) = read_positions([as_prompt(prompt)], encodings)
    return position

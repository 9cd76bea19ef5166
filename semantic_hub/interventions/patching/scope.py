"""A state of one run put into another prompt, and what the rest of the model makes of it.

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
from semantic_hub.prompts.prompt import PromptLike, as_prompt, encode
from semantic_hub.results import manifest

IDENTITY_PROMPT = "cat -> cat\n1135 -> 1135\nhello -> hello\n?"
"""Few-shot repetition: the state at its last token is what is to be repeated."""


def patchscope(
    model: HookedModel,
    donors: Sequence[PromptLike],
    *,
    position: Positions = "last",
    layers: Sequence[int] | None = None,
    identity_prompt: PromptLike = IDENTITY_PROMPT,
    target_layer: int | None = None,
    k: int = 10,
    batch_size: int | Literal["auto"] = "auto",
) -> TopTokens:
    """Put each donor's state at each layer into an identity prompt, and read the next token.

    The state overwrites the stream at the identity prompt's last token (or its ``position``), at
    the layer that it comes from, unless `target_layer` names another. The logit lens asks what the
    unembedding makes of a state, this asks what the rest of the model makes of it.

    Args:
        model: A decoder.
        donors: Prompts that the states come from.
        position: Where in each donor, as in `semantic_hub.residual_stream`; several positions are
            averaged.
        layers: The layers that states come from, 0..n_layers; None for all.
        identity_prompt: What they are put into.
        target_layer: The layer at which they are put in; None for the one that they come from.
        k: How many tokens.
        batch_size: Prompts per forward pass.

    Returns:
        The k likeliest next tokens for each donor and layer.

    Raises:
        SemanticHubError: An encoder, no donors, or a layer, position or k out of range.

    Example:
        >>> import semantic_hub as sh
        >>> from semantic_hub.interventions.patching.scope import patchscope
        >>> said = patchscope(sh.load_model("hub-mini"), ["dix égale sept plus"], layers=[6], k=1,
        ...                   identity_prompt="eight equals four plus")
        >>> tuple(said.tokens.shape)
        (1, 1, 1)
    """
    check_decoder(model, "patchscope")
    wanted = check_layers(model, layers)
    into = wanted if target_layer is None else check_layers(model, [target_layer]) * len(wanted)
    states = residual_stream(
        model, donors, positions=position, layers=wanted, batch_size=batch_size
    )
    place = _last_place(model, identity_prompt)
    cells = [(donor, i) for donor in range(len(donors)) for i in range(len(wanted))]

    def overwrite(layer: int) -> Callable[[int], Overwrite | None]:
        def of(row: int) -> Overwrite | None:
            donor, i = cells[row]
            return Overwrite((place,), states[donor, i][None]) if into[i] == layer else None

        return of

    final = residual_stream(
        model,
        [identity_prompt] * len(cells),
        layers=[model.cfg.n_layers],
        batch_size=batch_size,
        overwrites={layer_hook(layer): overwrite(layer) for layer in dict.fromkeys(into)},
    )
    return likeliest(
        model,
        final.reshape(len(donors), len(wanted), -1),
        k=k,
        lens=LOGIT,
        prompts=read_texts(model, donors),
        layers=wanted,
        provenance=manifest(
            model,
            measure="patchscope",
            identity_prompt=read_texts(model, [identity_prompt])[0],
            target_layer=target_layer,
        ),
    )


def _last_place(model: HookedModel, prompt: PromptLike) -> int:
    """Index into the prompt's tokens of the one where its next word is read."""
    ((place,),) = read_positions([as_prompt(prompt)], encode(model, [prompt]), "last", frozenset())
    return place

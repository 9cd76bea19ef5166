"""Build planted models: their weights from the codes of a world, and their tokenizer.

A neuron of a gated MLP computes ``silu(g · n) (u · n)`` of the normed stream n. With g and u along
codes, scaled so that each product is 1 if the code is present, it is silu(1) if both codes are
present, and exactly 0 if one is absent: a look-up, or a conjunction. All attention is uniform
(queries and keys are 0), so that the last of three positions gets a third of each value.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from semantic_hub.models.checkpoints import (
    Backend,
    bridge_class,
    build_hooked_transformer,
    hooked_transformer_class,
)
from semantic_hub.models.protocol import HookedModel
from semantic_hub.zoo.planted.codes import (
    AMPLITUDES,
    COMPONENTS,
    EPS,
    LANGUAGE_LAYER,
    N_LAYERS,
    SQUARED_LENGTHS,
    Codes,
    root_mean_square,
)
from semantic_hub.zoo.planted.world import PADDING, SPECIAL, START, STOP, UNKNOWN, PlantedWorld

GAIN = 8.0
"""Logit of a word whose unembedding has the direction of the stream."""

HUB_READOUT = 1.0
"""Concept part of the dominant language's unembeddings, relative to the surface part."""

OWN_READOUT = 1.0
"""Idiosyncratic part of every unembedding, relative to its surface part."""

_PROMPT_LENGTH = 3
_N_CTX = 8
_SILU_OF_1 = 1 / (1 + np.exp(-1))
_BRIDGE_NAMES = {
    "embed.W_E": "embed.weight",
    "unembed.W_U": "unembed.weight",
    "attn.W_V": "attn.v.weight",
    "attn.W_O": "attn.o.weight",
    "mlp.W_gate": "mlp.gate.weight",
    "mlp.W_in": "mlp.in.weight",
    "mlp.W_out": "mlp.out.weight",
}

Weights = Mapping[str, Float[np.ndarray, "rows columns"]]
"""Matrices by the name that `HookedTransformer` gives them, as ``[in, out]``."""


def planted_model(
    world: PlantedWorld,
    *,
    backend: Backend = "auto",
    device: str | torch.device | None = None,
    dtype: torch.dtype = torch.float32,
) -> HookedModel:
    """Build the model of a world.

    Args:
        world: Words and codes of the model.
        backend: ``"hooked"`` for a ``HookedTransformer``, ``"bridge"`` for a native
            ``TransformerBridge``, ``"auto"`` for the first of them that is there.
        device: Where it goes; ``None`` leaves the choice to TransformerLens.
        dtype: Of the weights. In float32 all measures agree with their closed forms to 1e-4.

    Returns:
        The model in evaluation mode, with its tokenizer.
    """
    place = None if device is None else str(device)
    hooked = backend == "hooked" or (backend == "auto" and hooked_transformer_class() is not None)
    build = _hooked_transformer if hooked else _native_bridge
    return build(world, planted_weights(world), place, dtype).eval()


def planted_weights(world: PlantedWorld) -> Weights:
    """Nonzero weights of a world's model, by name; the norms' gains, all 1, are left out."""
    codes = world.codes
    return {
        "embed.W_E": _embedding(world),
        **_read_words(codes, block=0),
        **_read_words(codes, block=1),
        **_bring_language(codes),
        **_say_answer(codes),
        "unembed.W_U": unembedding(world).T,
    }


def unembedding(world: PlantedWorld) -> Float[np.ndarray, "d_vocab d_model"]:
    """Unembedding with one row for each token; 0 for special tokens and markers.

    ``u(l, c) = GAIN / √d_model · (surface + OWN_READOUT · readout [+ HUB_READOUT · concept])``,
    the last term for the dominant language only.
    """
    codes = world.codes
    words = codes.surface + OWN_READOUT * codes.readout
    words[0] += HUB_READOUT * codes.concept[0]
    others = np.zeros((world.first_word, codes.d_model))
    return GAIN / np.sqrt(codes.d_model) * np.concatenate([others, *words])


def planted_tokenizer(world: PlantedWorld) -> PreTrainedTokenizerFast:
    """Tokenizer with one token for each word between spaces, after a start token."""
    ids = {token: index for index, token in enumerate(world.vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A", special_tokens=[(START, ids[START])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        name_or_path=world.name,
        bos_token=START,
        eos_token=STOP,
        pad_token=PADDING,
        unk_token=UNKNOWN,
        add_bos_token=True,
    )


def _embedding(world: PlantedWorld) -> Float[np.ndarray, "d_vocab d_model"]:
    """Embedding with one row for each token."""
    codes = world.codes
    words = np.einsum("k,klcd->lcd", AMPLITUDES[:, 0], codes.components)
    special = np.tile(codes.start, (len(SPECIAL), 1))
    return np.concatenate([special, codes.language[:, 0], *words])


def _read_words(codes: Codes, block: int) -> Weights:
    """Neurons of a block that reads words, one for each word's token code."""
    token = codes.token * _reading_scale(codes, "token", block)
    return _neurons(codes, block, gate=token, up=token)


def _say_answer(codes: Codes) -> Weights:
    """Neurons that write the answer, one for each conjunction of language and concept."""
    block = N_LAYERS - 1
    language = codes.language * _reading_scale(codes, "language", block)
    concept = codes.concept * _reading_scale(codes, "concept", block)
    return _neurons(codes, block, gate=language, up=concept)


def _bring_language(codes: Codes) -> Weights:
    """Attention that copies the language from the marker, a third of the value per position."""
    block, language = LANGUAGE_LAYER - 1, codes.language[:, 0]
    value = language * root_mean_square(np.ones(1), codes.d_model)
    brought = AMPLITUDES[COMPONENTS.index("language"), LANGUAGE_LAYER]
    return {
        f"blocks.{block}.attn.W_V": value.T,
        f"blocks.{block}.attn.W_O": _PROMPT_LENGTH * brought * language,
    }


def _reading_scale(codes: Codes, component: str, layer: int) -> float:
    """Factor of a code that makes its product with the normed stream 1."""
    divisor = root_mean_square(SQUARED_LENGTHS, codes.d_model)[layer]
    return float(divisor / AMPLITUDES[COMPONENTS.index(component), layer])


def _neurons(codes: Codes, block: int, gate: np.ndarray, up: np.ndarray) -> Weights:
    """One neuron for each word, which writes the word's change in this block."""
    change = np.einsum("k,klcd->lcd", np.diff(AMPLITUDES)[:, block], codes.components)
    rows = {"W_gate": gate, "W_in": up}
    return {
        **{f"blocks.{block}.mlp.{name}": np.concatenate(row).T for name, row in rows.items()},
        f"blocks.{block}.mlp.W_out": np.concatenate(change) / _SILU_OF_1,
    }


def _hooked_transformer(
    world: PlantedWorld, weights: Weights, device: str | None, dtype: torch.dtype
) -> HookedModel:
    """Model as a ``HookedTransformer``."""
    from transformer_lens import HookedTransformerConfig

    config = HookedTransformerConfig(
        **_architecture(world), model_name=world.name, device=device, dtype=dtype
    )
    model = build_hooked_transformer(config, planted_tokenizer(world))
    return _set_weights(model, weights)


def _native_bridge(
    world: PlantedWorld, weights: Weights, device: str | None, dtype: torch.dtype
) -> HookedModel:
    """Model as a native ``TransformerBridge``."""
    from transformer_lens.config import TransformerBridgeConfig

    model = bridge_class().boot_native(
        TransformerBridgeConfig(**_architecture(world)),
        tokenizer=planted_tokenizer(world),
        device=device,
        dtype=dtype,
        model_name=world.name,
    )
    return _set_weights(model, dict(_as_linear_layers(weights)))


def _architecture(world: PlantedWorld) -> dict[str, Any]:
    """Options of the model's configuration."""
    n_languages = len(world.languages)
    return {
        "n_layers": N_LAYERS,
        "d_model": world.codes.d_model,
        "n_ctx": _N_CTX,
        "n_heads": 1,
        "d_head": n_languages,
        "d_mlp": n_languages * len(world.concepts),
        "d_vocab": len(world.vocabulary),
        "act_fn": "silu",
        "gated_mlp": True,
        "normalization_type": "RMS",
        "final_rms": True,
        "eps": EPS,
        "positional_embedding_type": "rotary",
        "rotary_dim": 2,
    }


def _as_linear_layers(weights: Weights) -> Iterator[tuple[str, np.ndarray]]:
    """Weights under the names of the native bridge, as ``[out, in]``."""
    for name, matrix in weights.items():
        block, suffix = name.rsplit(".", 2)[0], ".".join(name.rsplit(".", 2)[-2:])
        prefix = f"{block}." if name.startswith("blocks.") else ""
        yield prefix + _BRIDGE_NAMES[suffix], matrix if suffix == "embed.W_E" else matrix.T


@torch.no_grad()
def _set_weights(model: Any, weights: Weights) -> Any:
    """Set the given weights and all other parameters to 0, except the norms' gains."""
    for name, parameter in model.named_parameters():
        if ".ln" not in f".{name}":
            parameter.zero_()
    for name, tensor in model.state_dict().items():
        if name in weights:
            tensor.copy_(torch.from_numpy(weights[name]).reshape(tensor.shape))
    return model

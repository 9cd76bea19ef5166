"""Closed-form effects of interventions on a planted model, from its codes without running it.

An intervention changes the last position of a base at a layer. The later blocks then act as
`semantic_hub.zoo.planted.codes.AMPLITUDES` says, but on a stream of another length, in which codes
may be missing, halved, doubled or negative. A neuron of a word with gate g and up-projection u,
each 1 for an unchanged stream, writes the word's change times ``silu(g) u / silu(1)``.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from semantic_hub.zoo.planted.codes import (
    AMPLITUDES,
    COMPONENTS,
    LANGUAGE_LAYER,
    N_LAYERS,
    SQUARED_LENGTHS,
    root_mean_square,
)
from semantic_hub.zoo.planted.expected import expected_stream, word_ids
from semantic_hub.zoo.planted.weights import unembedding
from semantic_hub.zoo.planted.world import PlantedWorld

_READ = {1: ("token", "token"), 2: ("token", "token"), 5: ("language", "concept")}
"""Codes along the gates and the up-projections of each block's neurons."""


def expected_patching(
    world: PlantedWorld, source: str, base: str
) -> Float[np.ndarray, "item layer"]:
    """Normalized logit difference of patching the stream at the last position.

    A patch before the language has arrived is answered in the base's language, a later one in the
    source's. The answer needs the concept's code in that language: without it, the concept stays
    unsaid, and the answers differ by their idiosyncratic parts alone. So within a language the
    effect is 1; between two it is 1 before layer 4 and 0 from there on with a hub, and 0 everywhere
    with separate codes, each up to the idiosyncratic parts, whose mean over seeds is 0.

    Args:
        world: The world.
        source: Language of the sources.
        base: Language of the bases.

    Returns:
        One row for each of ``world.patch_pairs(source, base)``, layers 0 to 5.
    """
    layers = range(N_LAYERS + 1)
    patched = [_patched(world, source, base, layer) for layer in layers]
    return _effect(world, base, np.stack(patched, axis=1))


def expected_component_patching(
    world: PlantedWorld, source: str, base: str, component: Literal["attn", "mlp"]
) -> Float[np.ndarray, "item layer"]:
    """Normalized logit difference of patching one block's attention or MLP at the last position.

    Attention writes only in block 4, and only the language. MLPs write everything else: blocks 1
    and 2 each half of the concept's code, and block 5 the answer.

    Args:
        world: The world.
        source: Language of the sources.
        base: Language of the bases.
        component: ``"attn"`` or ``"mlp"``.

    Returns:
        One row for each of ``world.patch_pairs(source, base)``, layers 1 to 5: layer k is the
        component of block k.
    """
    given, asked = expected_stream(world, source), _bases(world, base)
    writes = (np.arange(1, N_LAYERS + 1) == LANGUAGE_LAYER) == (component == "attn")
    exchanged = np.diff(given - asked, axis=1) * writes[:, None]
    states = asked[:, 1:] + exchanged
    final = [_run_on(world, base, states[:, layer - 1], layer) for layer in range(1, N_LAYERS + 1)]
    return _effect(world, base, np.stack(final, axis=1))


def expected_steering(
    world: PlantedWorld, source: str, base: str, strengths: Sequence[float]
) -> Float[np.ndarray, "item layer strength"]:
    """Normalized logit difference of steering by the difference of two concepts' streams.

    ``s · (h_k(source, c_i) − h_k(source, c_{i−1}))`` is added at the last position of the base's
    prompt for concept i − 1, cyclically. The effect is 0 without steering, and 1 for the run of the
    base's language on concept i. At strength 1 within a language it is 1 at every layer. Between
    two languages it is 0 with separate codes, up to the idiosyncratic parts. With a hub it grows
    while the words are read (.2, .4), is .85 at layers 2 to 4, where the concepts are the only
    difference besides two idiosyncratic parts, and 0 at layer 5, where the source's surface words
    differ.

    Args:
        world: The world.
        source: Language of the prompts that the direction is made from.
        base: Language of the prompts that are steered.
        strengths: The factors s.

    Returns:
        One row for each of ``world.patch_pairs(source, base)``, layers 0 to 5.
    """
    given, asked = expected_stream(world, source), _bases(world, base)
    direction = given - np.roll(given, 1, axis=0)
    states = asked[:, :, None] + np.multiply.outer(strengths, direction).transpose(1, 2, 0, 3)
    final = [_run_on(world, base, states[:, k], k) for k in range(N_LAYERS + 1)]
    return _effect(world, base, np.stack(final, axis=1))


def _bases(world: PlantedWorld, base: str) -> Float[np.ndarray, "item layer d_model"]:
    """Stream of each base, whose concept is the one before the item's."""
    return np.roll(expected_stream(world, base), 1, axis=0)


def _patched(
    world: PlantedWorld, source: str, base: str, layer: int
) -> Float[np.ndarray, "item d_model"]:
    """Last layer of a base whose last position was overwritten at a layer."""
    said_in = base if layer < LANGUAGE_LAYER else source
    amplitudes = dict(zip(COMPONENTS, AMPLITUDES.T[-1], strict=True))
    if not (world.shared or said_in == source):
        amplitudes = dict(zip(COMPONENTS, AMPLITUDES.T[LANGUAGE_LAYER], strict=True))
    heard, said = world.index(source), world.index(said_in)
    languages = {"token": heard, "concept": heard, "language": said, "surface": said, "own": heard}
    codes = dict(zip(COMPONENTS, world.codes.components, strict=True))
    return np.sum([amplitudes[name] * codes[name][languages[name]] for name in COMPONENTS], axis=0)


def _run_on(
    world: PlantedWorld, language: str, states: Float[np.ndarray, "*state d_model"], layer: int
) -> Float[np.ndarray, "*state d_model"]:
    """Last layer of runs whose last position has a given state at a layer.

    Args:
        world: The world.
        language: Language of the prompts' marker, which no intervention changes.
        states: States after block `layer`.
        layer: 0 to 5.
    """
    for block in range(layer + 1, N_LAYERS + 1):
        if block == LANGUAGE_LAYER:
            brought = AMPLITUDES[COMPONENTS.index("language"), LANGUAGE_LAYER]
            states = states + brought * world.codes.language[world.index(language), 0]
        elif block in _READ:
            states = states + _written(world, states, block)
    return states


def _written(
    world: PlantedWorld, states: Float[np.ndarray, "*state d_model"], block: int
) -> Float[np.ndarray, "*state d_model"]:
    """Output of a block's neurons, each along the change of its word."""
    gate, up = (_presence(world, states, component, block - 1) for component in _READ[block])
    change = np.diff(AMPLITUDES)[:, block - 1]
    directions = np.einsum("k,klcd->lcd", change, world.codes.components)
    activations = _silu(gate) * up / _silu(np.ones(1))
    return activations @ directions.reshape(-1, world.codes.d_model)


def _presence(
    world: PlantedWorld, states: Float[np.ndarray, "*state d_model"], component: str, layer: int
) -> Float[np.ndarray, "*state word"]:
    """Amount of each word's code in a normed stream, relative to an unchanged stream."""
    d_model, row = world.codes.d_model, COMPONENTS.index(component)
    codes = world.codes.components[row].reshape(-1, d_model)
    planned = AMPLITUDES[row, layer] / root_mean_square(SQUARED_LENGTHS, d_model)[layer]
    lengths = root_mean_square(np.square(states).sum(axis=-1), d_model)
    return states @ codes.T / lengths[..., None] / planned


def _silu(x: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    return x / (1 + np.exp(-x))


def _effect(
    world: PlantedWorld, base: str, final: Float[np.ndarray, "*cell d_model"]
) -> Float[np.ndarray, "*cell"]:
    """(D − D_base) / (D_reference − D_base) of states of the last layer."""
    own_runs = expected_stream(world, base)[:, -1]
    reference = _difference(world, base, own_runs)
    before = _difference(world, base, np.roll(own_runs, 1, axis=0))
    cells = (slice(None), *(None,) * (final.ndim - 2))
    return (_difference(world, base, final) - before[cells]) / (reference - before)[cells]


def _difference(
    world: PlantedWorld, base: str, states: Float[np.ndarray, "*cell d_model"]
) -> Float[np.ndarray, "*cell"]:
    """Logit of the pair's word for the source's concept minus that for the other one."""
    words = unembedding(world)[word_ids(world, base)]
    contrast = words - np.roll(words, -(len(words) // 2), axis=0)
    lengths = root_mean_square(np.square(states).sum(axis=-1), world.codes.d_model)
    return np.einsum("id,i...d->i...", contrast, states) / lengths

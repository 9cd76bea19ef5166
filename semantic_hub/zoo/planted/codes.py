"""Directions of a planted world, and their amplitudes in the stream at each layer.

All directions except the idiosyncratic ones are orthonormal. So at the last position of a prompt
with concept c in language l, the residual stream after block k is exactly

    h_k(l, c) = Σ_j a_jk v_j(l, c)

with the amplitudes a of `AMPLITUDES` and five directions v of length 1: the input token, the
concept, the language to answer in, the surface word of the answer, and an idiosyncratic part.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

COMPONENTS = ("token", "concept", "language", "surface", "own")
"""Names of the directions; ``"own"`` is the idiosyncratic part."""

AMPLITUDES: Float[np.ndarray, "component layer"] = np.array(
    [
        [1.5, 1.5, 0.0, 0.0, 0.0, 0.0],
        [0.0, 1.0, 2.0, 2.0, 2.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 2.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 3.0],
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    ]
)
"""Amplitude of each component at layers 0 to 5. Blocks 1 and 2 read the word, block 3 does nothing,
block 4 copies the language from the marker, block 5 writes the answer."""

SQUARED_LENGTHS: Float[np.ndarray, " layer"] = np.square(AMPLITUDES).sum(axis=0)
"""Squared length of the stream at layers 0 to 5, the same for all prompts."""

N_LAYERS = AMPLITUDES.shape[1] - 1
"""Number of blocks."""

LANGUAGE_LAYER = 4
"""First layer at which the last position has the language to answer in."""

OWN_DIMENSIONS = 32
"""Dimension of the subspace of all idiosyncratic parts, of states and of unembeddings."""

EPS = 1e-6
"""ε of the RMS norms."""


@dataclass(frozen=True, eq=False)
class Codes:
    """Directions of one world, each of length 1.

    Args:
        token: Identity of the input word in its embedding.
        concept: Its meaning; in a world with a hub the same in every language.
        language: Language to answer in, the same for all concepts.
        surface: The word as an output.
        own: Idiosyncratic part of the word, random in a subspace shared by all words.
        readout: Idiosyncratic part of its unembedding, in the same subspace.
        start: Embedding of special tokens.
    """

    token: Float[np.ndarray, "language concept d_model"]
    concept: Float[np.ndarray, "language concept d_model"]
    language: Float[np.ndarray, "language concept d_model"]
    surface: Float[np.ndarray, "language concept d_model"]
    own: Float[np.ndarray, "language concept d_model"]
    readout: Float[np.ndarray, "language concept d_model"]
    start: Float[np.ndarray, " d_model"]

    @property
    def d_model(self) -> int:
        """Width of the stream: the number of orthonormal directions."""
        return len(self.start)

    @property
    def components(self) -> Float[np.ndarray, "component language concept d_model"]:
        """Directions in the order of `COMPONENTS`."""
        return np.stack([getattr(self, name) for name in COMPONENTS])


def draw_codes(seed: int, n_languages: int, n_concepts: int, shared: bool) -> Codes:
    """Draw the codes of a world in a random basis.

    Args:
        seed: Seed of the basis and of the idiosyncratic parts.
        n_languages: Number of languages.
        n_concepts: Number of concepts.
        shared: Whether all languages have the concept codes of the first, or each has its own,
            orthogonal to all others. Nothing else depends on it.
    """
    rng = np.random.default_rng(seed)
    words = (n_languages, n_concepts)
    sizes = [n_languages * n_concepts] * 3 + [n_languages, 1, OWN_DIMENSIONS]
    d_model = sum(sizes)
    basis, _ = np.linalg.qr(rng.standard_normal((d_model, d_model)))
    token, concept, surface, language, start, subspace = np.split(basis, np.cumsum(sizes)[:-1])
    concept = concept.reshape(*words, d_model)
    return Codes(
        token=token.reshape(*words, d_model),
        concept=np.broadcast_to(concept[:1], concept.shape) if shared else concept,
        language=np.repeat(language[:, None], n_concepts, axis=1),
        surface=surface.reshape(*words, d_model),
        own=_random_directions(rng, words, subspace),
        readout=_random_directions(rng, words, subspace),
        start=start[0],
    )


def root_mean_square(
    squared_lengths: Float[np.ndarray, "*state"], d_model: int
) -> Float[np.ndarray, "*state"]:
    """Root mean square that an RMS norm divides states by: ``√(‖h‖² / d_model + ε)``."""
    return np.sqrt(squared_lengths / d_model + EPS)


def _random_directions(
    rng: np.random.Generator, words: tuple[int, int], subspace: Float[np.ndarray, "basis d_model"]
) -> Float[np.ndarray, "language concept d_model"]:
    """Random directions of length 1 in a subspace."""
    drawn = rng.standard_normal((*words, len(subspace)))
    return drawn / np.linalg.norm(drawn, axis=-1, keepdims=True) @ subspace

"""Rates of the lens verdict where a tokenizer splits words: by whole words, and by first tokens.

The planted worlds have a token for each word. Here a share of the words of some languages is split:
four words of a language begin with one token, and two more tokens or a single one tell them apart.
The state at the read-out is that of the planted world. The unembedding of a first token is the sum
of those of the words that begin with it, so that it is as likely as the likeliest of them.

How a text goes on after a first token is the model's own business (see
`semantic_hub.lenses.whole_words`), and follows here from what the model knows: which tokens follow
a first token in that language, in any world; and which of these is meant, if the concept is known
in that language, which is so for the answer's own language, and with a hub for all of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from semantic_hub.lenses.result import LensResult
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.zoo.calibration.nulls import RESAMPLES
from semantic_hub.zoo.calibration.verdict import set_verdict, shares_by_world
from semantic_hub.zoo.calibration.worlds import with_noise
from semantic_hub.zoo.planted.codes import AMPLITUDES, COMPONENTS, N_LAYERS
from semantic_hub.zoo.planted.models import expected_stream, planted_world
from semantic_hub.zoo.planted.weights import GAIN, unembedding
from semantic_hub.zoo.planted.world import GROUPS, PlantedWorld

READ = "es"
"""Language of the texts that are read."""

ALIKE = 4
"""Number of words of a language that begin with one token, where words are split."""

SPLIT_WORLDS: Sequence[tuple[str, float]] = (
    ("planted-separate", 0.0),
    ("planted-separate", 1.0),
    ("planted-hub", 1.0),
    ("planted-hub", 4.0),
)
"""Worlds, and the length of the noise over that of the stream."""

SPLITS: Sequence[tuple[float, float]] = ((0.0, 0.0), (0.5, 0.5), (0.0, 0.5), (0.0, 1.0))
"""Share of words that are split in the dominant language, and in the others."""

UNRELATED = "unrelated"
"""Control that the built-in spokes have too: the dominant language's word for something else."""


class SplitWorld(NamedTuple):
    """A world with split words, how they are scored, and whether `UNRELATED` is a control."""

    name: str
    noise: float
    split: tuple[float, float]
    whole_words: bool
    unrelated: bool


class Spelling(NamedTuple):
    """First tokens of a language's words, and the log-probability of what follows.

    ``first`` is the number of the first token of each word; ``known`` and ``unknown`` are the
    log-probabilities of the rest of a word where its concept is known in that language or not.
    """

    first: Int[np.ndarray, " concept"]
    known: Float[np.ndarray, " concept"]
    unknown: Float[np.ndarray, " concept"]


def spelling(n_concepts: int, share: float, rng: np.random.Generator) -> Spelling:
    """Split a share of a language's words; half of the split ones into three tokens.

    Four words with one first token: of two tokens each, the second tells all four apart; of three,
    the second leaves two, and the third tells these apart.

    Args:
        n_concepts: Number of words.
        share: Share of them that is split, whole groups of `ALIKE`.
        rng: Which words.

    Example:
        >>> of_words = spelling(8, 0.5, np.random.default_rng(0))
        >>> len(set(of_words.first)), np.exp(of_words.unknown).tolist().count(0.25)
        (5, 4)
    """
    n_groups = round(share * n_concepts / ALIKE)
    first = np.arange(n_concepts)
    known, unknown = np.zeros((2, n_concepts))
    words = rng.permutation(n_concepts)[: n_groups * ALIKE].reshape(n_groups, ALIKE)
    for number, alike in enumerate(words):
        first[alike] = alike[0]
        steps = [ALIKE] if number % 2 else [ALIKE // 2, 2]
        known[alike] = sum(_right_of(among) for among in steps)
        unknown[alike] = -sum(np.log(among) for among in steps)
    return Spelling(first, known, unknown)


def split_lens(world: SplitWorld, seed: int) -> LensResult:
    """The lens of a planted world's Spanish read-outs, some of whose words are split.

    Args:
        world: World, noise, which words are split, and how they are scored.
        seed: Seed of the codes, the noise and the splits.

    Example:
        >>> lens = split_lens(SplitWorld("planted-hub", 0.0, (0.5, 0.5), True, False), 0)
        >>> lens.share("hub", "surface").value.round(decimals=1).tolist()[1:4]
        [1.0, 1.0, 1.0]
    """
    planted = _planted(world.name, seed)
    rng = np.random.default_rng((seed, 5))
    states = with_noise(expected_stream(planted, READ), world.noise, rng)
    n, spelled = len(planted.concepts), {}
    for language in planted.languages:
        share = world.split[language != planted.languages[0]]
        spelled[language] = spelling(n, share, rng)
    words = [(language, np.arange(n)) for language in planted.readout_languages(READ)]
    if world.unrelated:
        words.append((planted.languages[0], np.roll(np.arange(n), n // 2)))
    log_prob = _first_tokens(planted, states, spelled, words)
    if world.whole_words:
        for group, (language, concepts) in enumerate(words):
            knows = group < len(GROUPS) and (planted.shared or language == READ)
            rest = spelled[language].known if knows else spelled[language].unknown
            log_prob[..., group] += rest[concepts, None]
    split = np.stack([spelled[language].known[concepts] < 0 for language, concepts in words], 1)
    return LensResult(
        n_layers=N_LAYERS,
        layers=tuple(range(N_LAYERS + 1)),
        groups=(*GROUPS, *[UNRELATED] * world.unrelated),
        kept=tuple(range(n)),
        dropped={},
        log_prob=torch.from_numpy(log_prob).float(),
        rank=torch.ones(log_prob.shape, dtype=torch.long),
        first_token_only=torch.from_numpy(split & (not world.whole_words)),
        n_tokens=torch.from_numpy(1 + (split & world.whole_words)),
        resampling=Resampling(RESAMPLES, seed=seed),
        manifest={},
    )


def lens_verdict(lens: LensResult) -> str:
    """Verdict on one set of read-outs.

    Args:
        lens: Its lens.
    """
    return set_verdict(lens.cell_margins(lens.resampling))


def split_verdict_shares(seeds: Iterable[int]) -> dict[SplitWorld, dict[str, float]]:
    """Share of worlds with each verdict, for every world, noise, split and way of scoring.

    Where no word is split, both ways of scoring are the same, and the first stands for both.

    Args:
        seeds: Seeds of the worlds.
    """
    worlds = [
        SplitWorld(name, noise, split, whole, unrelated)
        for name, noise in SPLIT_WORLDS
        for unrelated in (False, True)
        for split in SPLITS
        for whole in (True, False)
        if whole or any(split)
    ]
    return shares_by_world(worlds, seeds, lambda world, seed: lens_verdict(split_lens(world, seed)))


@lru_cache(maxsize=1)
def _planted(name: str, seed: int) -> PlantedWorld:
    """The planted world; its codes are drawn once for all splits."""
    return planted_world(name, seed)


def _right_of(among: int) -> float:
    """Log-probability of the right one of some tokens, by the logit that an answer's word has."""
    squared = np.square(AMPLITUDES[:, -1])
    logit = GAIN * AMPLITUDES[COMPONENTS.index("surface"), -1] / np.sqrt(squared.sum())
    return float(logit - np.logaddexp(logit, np.log(among - 1)))


def _first_tokens(
    world: PlantedWorld,
    states: Float[np.ndarray, "readout layer d_model"],
    spelled: Mapping[str, Spelling],
    candidates: Sequence[tuple[str, Int[np.ndarray, " readout"]]],
) -> Float[np.ndarray, "readout layer group"]:
    """Log-probability of the first token of each candidate, through norm and unembedding."""
    n, d_model = len(world.concepts), states.shape[-1]
    rows = unembedding(world)
    words = rows[world.first_word :].reshape(len(world.languages), n, d_model)
    table = np.zeros_like(words)
    for index, language in enumerate(world.languages):
        np.add.at(table[index], spelled[language].first, words[index])
    normed = states / np.sqrt(np.square(states).mean(axis=-1, keepdims=True))
    logits = normed @ np.concatenate([rows[: world.first_word], *table]).T
    logits -= np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    found = []
    for language, concepts in candidates:
        ids = world.first_word + world.index(language) * n + spelled[language].first[concepts]
        found.append(logits[np.arange(n), :, ids])
    return np.stack(found, axis=-1)

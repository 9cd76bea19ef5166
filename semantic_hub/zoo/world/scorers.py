"""Texts about a world, scored exactly: every word that the world knows is told from every other.

The scorers find the longest names of things in a text, in whichever of the world's languages; what
is none (a misspelt word, a mark) says nothing.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from semantic_hub.interventions.spec import ActivationContrast, TextSteering
from semantic_hub.interventions.text.generation import Sampling
from semantic_hub.interventions.text.scorers import Scorer
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.spokes.lexicon.dictionary import builtin_concepts
from semantic_hub.zoo.world.facts import World
from semantic_hub.zoo.world.grammar import DOMINANT, LANGUAGES, Voice
from semantic_hub.zoo.world.meanings import Term


@dataclass(frozen=True)
class KnownWord:
    """What the world knows of one spelling.

    Attributes:
        languages: The languages that have it.
        kinds: Kinds of the things that it names: ``adjective``, ``animal``, ``number``, …
        moods: Their sentiments, of +1, −1 and 0.
    """

    languages: frozenset[str]
    kinds: frozenset[str]
    moods: frozenset[int]


class WorldWords:
    """All names of things in a world, to be found in texts.

    Example:
        >>> words = WorldWords(World(seed=0))
        >>> [sorted(word.languages) for word in words.find("bueno, sad, 坏")]
        [['es'], ['en'], ['zh']]
    """

    def __init__(self, world: World) -> None:
        self.world = world

    def find(self, text: str) -> list[KnownWord]:
        """The known words of a text, in their order; the longest at each place."""
        return [self.known[match[0]] for match in self._pattern.finditer(text)]

    @cached_property
    def known(self) -> dict[str, KnownWord]:
        """Spelling to what is known of it."""
        found: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
        for spelling, language, kind, mood in self._entries():
            found[spelling].append((language, kind, mood))
        return {
            spelling: KnownWord(*(frozenset(column) for column in zip(*entries, strict=True)))
            for spelling, entries in found.items()
        }

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        longest_first = sorted(self.known, key=len, reverse=True)
        return re.compile("|".join(map(_alone, longest_first)))

    def _entries(self) -> Iterator[tuple[str, str, str, int]]:
        kinds = {concept.name: concept.kind for concept in builtin_concepts()}
        moods = {term.key: mood for mood in (+1, -1) for term in self.world.mood(mood)}
        for term in (*self.world.terms, *self.world.names):
            kind = kinds.get(term.key) or term.key.partition(".")[0]
            for language in LANGUAGES:
                for spelling in {term.forms[language], term.phrases[language]}:
                    yield spelling, language, kind, moods.get(term.key, 0)


def mood(world: World) -> Scorer:
    """Sentiment: (good − bad) / (good + bad) adjectives of a continuation, in any language.

    Returns:
        A scorer, −1 to 1; NaN for a text without such adjectives.

    Example:
        >>> from semantic_hub.interventions.text.generation import Generation
        >>> mood(World(seed=0))([Generation(0, 0, (1,), (2,), "", " bueno, happy, 坏")])
        [0.3333333333333333]
    """
    words = WorldWords(world)

    def of(text: str) -> float:
        moods = [mood for word in words.find(text) for mood in word.moods if mood]
        return sum(moods) / len(moods) if moods else float("nan")

    return lambda generations: [of(generation.text) for generation in generations]


def same_kind(world: World) -> Scorer:
    """Relevance: share of a continuation's known words that name a kind of thing that the prompt
    names too, such as an adjective, an animal or a number; in any language.

    Returns:
        A scorer, 0 to 1; NaN for a text without known words.

    Example:
        >>> from semantic_hub.interventions.text.generation import Generation
        >>> same_kind(World(seed=0))([Generation(0, 0, (1,), (2,), "malo, triste,", " good, dog")])
        [0.5]
    """
    words = WorldWords(world)

    def of(prompt: str, text: str) -> float:
        asked = frozenset[str]().union(*(word.kinds for word in words.find(prompt)))
        return _share([bool(word.kinds & asked) for word in words.find(text)])

    return lambda generations: [of(g.prompt_text, g.text) for g in generations]


def stays_in(world: World, language: str) -> Scorer:
    """Share of a continuation's known words that the language has; a spelling that it has in
    common with another language counts as its own.

    Returns:
        A scorer, 0 to 1; NaN for a text without known words.

    Example:
        >>> from semantic_hub.interventions.text.generation import Generation
        >>> stays_in(World(seed=0), "es")([Generation(0, 0, (1,), (2,), "", " bueno, good")])
        [0.5]
    """
    words = WorldWords(world)

    def of(text: str) -> float:
        return _share([language in word.languages for word in words.find(text)])

    return lambda generations: [of(generation.text) for generation in generations]


def word_contrast(world: World, language: str) -> ActivationContrast:
    """The words for *good* and *bad*, each alone: the paper's contrast.

    Example:
        >>> word_contrast(World(seed=0), "es").plus[0].text
        'bueno'
    """
    good, bad = (_named(world, mood, key) for mood, key in ((+1, "good"), (-1, "bad")))
    return ActivationContrast((Prompt(good.forms[language]),), (Prompt(bad.forms[language]),))


def list_contrast(world: World, language: str) -> ActivationContrast:
    """Beginnings of lists of good and of bad words, as in `mood_steering`'s prompts.

    Example:
        >>> list_contrast(World(seed=0), "es").plus[0].text
        'bueno, feliz,'
    """
    return ActivationContrast(_lists_begun(world, language, +1), _lists_begun(world, language, -1))


def mood_steering(
    world: World,
    language: str,
    contrast: Callable[[World, str], ActivationContrast] = word_contrast,
) -> TextSteering:
    """A world's free-text experiment: lists of bad words, steered towards the good.

    The world's text has lists of three to six adjectives of one sentiment. A prompt is the
    beginning of such a list, two bad words in `language` and a comma: what follows is another bad
    word if the model goes on as it was taught. Each bad word begins two lists: the next one of the
    world's adjectives follows, or the third next. Each contrast is made in English and in
    `language`.

    Args:
        world: The world that the model was trained on.
        language: The language of the lists.
        contrast: What good is told from bad by: `word_contrast` or `list_contrast`.
    """
    return TextSteering(
        prompts=_lists_begun(world, language, -1),
        contrasts={code: contrast(world, code) for code in dict.fromkeys((DOMINANT, language))},
        scorers={
            "sentiment": mood(world),
            "relevance": same_kind(world),
            f"in {language}": stays_in(world, language),
        },
        strengths=(0.5, 1.0, 2.0),
        sampling=Sampling(max_new_tokens=24),
    )


def _lists_begun(world: World, language: str, sign: int) -> tuple[Prompt, ...]:
    voice, words = Voice(language), world.mood(sign)
    comma = voice.grammar.comma
    return tuple(
        Prompt(f"{first.say(voice)}{comma}{second.say(voice)}{comma}".rstrip())
        for step in (1, 3)
        for first, second in zip(words, (*words[step:], *words[:step]), strict=True)
    )


def _named(world: World, mood: int, key: str) -> Term:
    return next(term for term in world.mood(mood) if term.key == key)


def _alone(spelling: str) -> str:
    """A pattern for a word that is not a part of a longer one, where words are spaced at all."""
    bare = re.escape(spelling)
    return bare if _is_chinese(spelling) else rf"(?<!\w){bare}(?!\w)"


def _is_chinese(spelling: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in spelling)


def _share(hits: list[bool]) -> float:
    return sum(hits) / len(hits) if hits else float("nan")

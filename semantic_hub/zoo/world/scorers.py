"""Scorers of texts about a world, and its steering of sentiment.

The scorers find the longest known names of things in a text, in any of the world's languages; other
words and marks are ignored.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from semantic_hub.interventions.spec import ActivationContrast, TextSteering
from semantic_hub.interventions.text.generation import Sampling
from semantic_hub.interventions.text.scorers import Scorer
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.zoo.world.facts import World
from semantic_hub.zoo.world.grammar import DOMINANT, LANGUAGES, Voice
from semantic_hub.zoo.world.meanings import Term


@dataclass(frozen=True)
class KnownWord:
    """What a spelling can mean in a world: its languages, kinds and sentiments.

    Attributes:
        languages: Languages that have the spelling.
        kinds: Kinds of the things that it names: ``adjective``, ``animal``, ``number``, …
        moods: Their sentiments: +1, −1 or 0.
    """

    languages: frozenset[str]
    kinds: frozenset[str]
    moods: frozenset[int]


class WorldWords:
    """Finder of the names of a world's things in texts.

    Example:
        >>> words = WorldWords(World(seed=0))
        >>> [sorted(word.languages) for word in words.find("bueno, sad, 坏")]
        [['es'], ['en'], ['zh']]
    """

    def __init__(self, world: World) -> None:
        self.world = world

    def find(self, text: str) -> list[KnownWord]:
        """Find the known words of a text in order, preferring the longest at each position."""
        return [self.known[match[0]] for match in self._pattern.finditer(text)]

    @cached_property
    def known(self) -> dict[str, KnownWord]:
        """Mapping from spelling to its meanings."""
        meanings: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
        for spelling, language, kind, mood in self._entries():
            meanings[spelling].append((language, kind, mood))
        return {
            spelling: KnownWord(*(frozenset(column) for column in zip(*entries, strict=True)))
            for spelling, entries in meanings.items()
        }

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """Pattern of all spellings, the longest first."""
        longest_first = sorted(self.known, key=len, reverse=True)
        return re.compile("|".join(map(_whole_word, longest_first)))

    def _entries(self) -> Iterator[tuple[str, str, str, int]]:
        """Spelling, language, kind and sentiment of each name."""
        for term in (*self.world.terms, *self.world.names):
            kind = term.kind or term.key.partition(".")[0]
            for language in LANGUAGES:
                for spelling in {term.forms[language], term.phrases[language]}:
                    yield spelling, language, kind, term.polarity


def mood(world: World) -> Scorer:
    """Make a sentiment scorer: (g − b) / (g + b) for g good and b bad adjectives in a text.

    Adjectives count in any language.

    Returns:
        A scorer, −1 to 1; NaN for a text without such adjectives.

    Example:
        >>> from semantic_hub.interventions.text.generation import Generation
        >>> mood(World(seed=0))([Generation(0, 0, (1,), (2,), "", " bueno, happy, 坏")])
        [0.3333333333333333]
    """
    words = WorldWords(world)

    def score(text: str) -> float:
        moods = [mood for word in words.find(text) for mood in word.moods if mood]
        return sum(moods) / len(moods) if moods else float("nan")

    return lambda generations: [score(generation.text) for generation in generations]


def same_kind(world: World) -> Scorer:
    """Make a relevance scorer: share of known words whose kind also occurs in the prompt.

    Kinds are, for example, adjectives, animals and numbers, in any language.

    Returns:
        A scorer, 0 to 1; NaN for a text without known words.

    Example:
        >>> from semantic_hub.interventions.text.generation import Generation
        >>> same_kind(World(seed=0))([Generation(0, 0, (1,), (2,), "malo, triste,", " good, dog")])
        [0.5]
    """
    words = WorldWords(world)

    def score(prompt: str, text: str) -> float:
        kinds = frozenset[str]().union(*(word.kinds for word in words.find(prompt)))
        return _share([bool(word.kinds & kinds) for word in words.find(text)])

    return lambda generations: [score(g.prompt_text, g.text) for g in generations]


def stays_in(world: World, language: str) -> Scorer:
    """Make a language scorer: share of a continuation's known words that exist in a language.

    A spelling that several languages have counts for each of them.

    Returns:
        A scorer, 0 to 1; NaN for a text without known words.

    Example:
        >>> from semantic_hub.interventions.text.generation import Generation
        >>> stays_in(World(seed=0), "es")([Generation(0, 0, (1,), (2,), "", " bueno, good")])
        [0.5]
    """
    words = WorldWords(world)

    def score(text: str) -> float:
        return _share([language in word.languages for word in words.find(text)])

    return lambda generations: [score(generation.text) for generation in generations]


def word_contrast(world: World, language: str) -> ActivationContrast:
    """Contrast of the words for *good* and *bad*, as in the paper.

    Example:
        >>> word_contrast(World(seed=0), "es").plus[0].text
        'bueno'
    """
    good, bad = (_named(world, mood, key) for mood, key in ((+1, "good"), (-1, "bad")))
    return ActivationContrast((Prompt(good.forms[language]),), (Prompt(bad.forms[language]),))


def mood_steering(world: World, language: str) -> TextSteering:
    """Steering of lists of bad words towards good words.

    The world's text has lists of three to six adjectives of one sentiment. A prompt is the
    beginning of such a list: two bad words in `language` and a comma, after which the training text
    has another bad word. Each bad word begins two lists, followed by the next or the third next of
    the world's adjectives. There is a contrast (`word_contrast`) in English and in `language`.

    Args:
        world: World that the model was trained on.
        language: Language of the lists.
    """
    return TextSteering(
        prompts=_list_beginnings(world, language, -1),
        contrasts={
            code: word_contrast(world, code) for code in dict.fromkeys((DOMINANT, language))
        },
        scorers={
            "sentiment": mood(world),
            "relevance": same_kind(world),
            f"in {language}": stays_in(world, language),
        },
        strengths=(0.5, 1.0, 2.0),
        sampling=Sampling(max_new_tokens=24),
    )


def _list_beginnings(world: World, language: str, sign: int) -> tuple[Prompt, ...]:
    """Beginnings of lists of two words of one sentiment."""
    voice, words = Voice(language), world.mood(sign)
    comma = voice.grammar.comma
    return tuple(
        Prompt(f"{first.say(voice)}{comma}{second.say(voice)}{comma}".rstrip())
        for step in (1, 3)
        for first, second in zip(words, (*words[step:], *words[:step]), strict=True)
    )


def _named(world: World, mood: int, key: str) -> Term:
    """Adjective of a sentiment with a key."""
    return next(term for term in world.mood(mood) if term.key == key)


def _whole_word(spelling: str) -> str:
    """Pattern of a spelling as a whole word; anywhere for Chinese, which has no spaces."""
    pattern = re.escape(spelling)
    is_chinese = any("\u4e00" <= character <= "\u9fff" for character in spelling)
    return pattern if is_chinese else rf"(?<!\w){pattern}(?!\w)"


def _share(hits: list[bool]) -> float:
    """Share of hits, NaN without any words."""
    return sum(hits) / len(hits) if hits else float("nan")

"""The language spoke: the same meaning in two languages.

Similarity pairs parallel sentences, or the same name or number in two languages. The lens reads
before a word of a text in language X, and asks for its translations in the dominant language. The
interventions move what is to be translated from one question into another, in another language.
Source: Wu et al. 2025, arXiv 2411.04986, section 3 (languages).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal, get_args

from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.interventions.spec import Patching, TextSteering
from semantic_hub.interventions.text.scorers import Scorer
from semantic_hub.lenses.mass.texts import LanguageTexts
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.prompts.tables import read_table
from semantic_hub.spokes.language.readouts import cloze_readouts, next_word_readouts
from semantic_hub.spokes.language.sentiment import sentiment_steering
from semantic_hub.spokes.language.share import language_share
from semantic_hub.spokes.language.translation import patch_pairs
from semantic_hub.spokes.lexicon.concepts import word_concepts
from semantic_hub.spokes.lexicon.dictionary import DATA, Lexicon, builtin_concepts
from semantic_hub.spokes.lexicon.languages import LANGUAGES, check_languages, control_for
from semantic_hub.spokes.lexicon.names import cldr_names
from semantic_hub.spokes.lexicon.numbers import number_word
from semantic_hub.spokes.routes import averaged_routes, patchings, ring_routes

__all__ = [
    "CONTINUATIONS",
    "LANGUAGES",
    "LanguageSpoke",
    "WordKind",
    "cloze_readouts",
    "patch_pairs",
    "next_word_readouts",
    "pairs",
    "sentences",
    "sentiment_steering",
    "word_pairs",
]

CONTINUATIONS: Mapping[str, str] = {
    "en": " In other words",
    "es": " En otras palabras",
    "fr": " En d'autres termes",
    "de": " Mit anderen Worten",
    "ru": " Другими словами",
    "zh": "换句话说",
}
"""What may follow a sentence so that its state is not read at the full stop."""

SENTIMENT_DEPTHS = (0.25, 0.5, 0.75)
"""Where the spoke steers texts, as parts of the model's depth; texts are long to generate."""

WordKind = Literal["number", "day", "month", "territory", "language", "lexicon"]


def sentences(language: str) -> tuple[str, ...]:
    """The 120 authored everyday sentences in one language, in the same order in each.

    Raises:
        SemanticHubError: Not one of `LANGUAGES`.

    Example:
        >>> len(sentences("en")) == len(sentences("zh")) == 120
        True
    """
    if language not in LANGUAGES:
        raise SemanticHubError(
            "sentences",
            got=f"language {language!r}",
            expected=f"one of {', '.join(LANGUAGES)}",
            fix="Read sentences of your own with Pairs.from_tsv.",
        )
    rows = _sentence_table()
    return tuple(row[language] for row in rows)


def pairs(x: str = "en", y: str = "es", *, continued: bool = True) -> Pairs:
    """The authored parallel sentences in two languages.

    Args:
        x: A language of `LANGUAGES`.
        y: Another one.
        continued: Add a short neutral continuation in the sentence's language
            (`CONTINUATIONS`). Sentences end in a full stop, whose state is much the same in all
            of them; the last word of the continuation is read instead.

    Raises:
        SemanticHubError: Not one of `LANGUAGES`.

    Example:
        >>> pairs("en", "es")[:1].y[0].text
        'Lleva lloviendo desde primera hora de la mañana. En otras palabras'
    """
    sides = [
        [sentence + (CONTINUATIONS[code] if continued else "") for sentence in sentences(code)]
        for code in (x, y)
    ]
    labels = [row["id"] for row in _sentence_table()]
    return Pairs.from_prompts(*sides, x_name=x, y_name=y, labels=labels)


def word_pairs(x: str, y: str, kind: WordKind = "number") -> Pairs:
    """One kind of word in two languages: number words, CLDR names, or the built-in lexicon.

    Words spelt the same in both languages are left out: they would match by their tokens alone.

    Args:
        x: A language.
        y: Another one.
        kind: ``"number"`` (0 to 99, any num2words language or Chinese), ``"day"``, ``"month"``,
            ``"territory"``, ``"language"`` (any CLDR locale), or ``"lexicon"`` (`LANGUAGES`).

    Raises:
        SemanticHubError: An unknown kind or language.

    Example:
        >>> word_pairs("en", "ru", "day")[:1].labels
        ('6',)
    """
    if kind not in get_args(WordKind):
        raise SemanticHubError(
            "word_pairs", got=repr(kind), expected=f"one of {get_args(WordKind)}", fix="Name one."
        )
    left, right = (_words(kind, code) for code in (x, y))
    keys = [key for key in left if key in right and left[key].lower() != right[key].lower()]
    return Pairs.from_prompts(
        [left[key] for key in keys],
        [right[key] for key in keys],
        x_name=x,
        y_name=y,
        labels=keys,
    )


@dataclass(frozen=True)
class LanguageSpoke(Spoke):
    """Languages for `semantic_hub.run`: each against the dominant one.

    Args:
        dominant: The language that the hub is expected to be read in.
        languages: The others; the lens' control for one is another of them.
        at_most: Patch pairs in each set of interventions, evenly spaced: each is run at every layer.
        scorers: Scores of generated texts by name, such as
            `semantic_hub.interventions.text.scorers.sentiment_classifier`. Where some are given,
            texts in each language are steered towards good sentiment (`sentiment_steering`) and
            scored by these, and by the share that stayed in the language. They are run by the
            interventions and may be slow.

    Raises:
        SemanticHubError: Fewer than two others, or the dominant language among them.

    Example:
        >>> list(LanguageSpoke(languages=("es", "fr")).interventions())
        ['translation es -> fr', 'translation fr -> es']
        >>> def length(generations):
        ...     return [float(len(generation.text)) for generation in generations]
        >>> spoke = LanguageSpoke(languages=("es", "fr"), scorers={"length": length})
        >>> list(spoke.interventions())[2:]
        ['sentiment, es', 'sentiment, fr']
    """

    dominant: str = "en"
    languages: tuple[str, ...] = ("es", "fr", "de", "zh", "ru")
    at_most: int = 100
    scorers: Mapping[str, Scorer] = field(default_factory=dict)
    name: str = "language"

    def __post_init__(self) -> None:
        check_languages("LanguageSpoke", self.dominant, self.languages)

    def pairs(self) -> Mapping[str, Pairs]:
        """Parallel sentences, number words and territories, each against the dominant language."""
        kinds: Mapping[str, Callable[[str], Pairs]] = {
            "sentences": lambda code: pairs(self.dominant, code),
            "numbers": lambda code: word_pairs(self.dominant, code, "number"),
            "territories": lambda code: word_pairs(self.dominant, code, "territory"),
        }
        return {
            f"{kind}, {code}": make(code) for kind, make in kinds.items() for code in self.languages
        }

    def concepts(self) -> Mapping[str, Mapping[str, Prompt]]:
        """Words for colours, animals and numbers, to be compared with other spokes."""
        return word_concepts((self.dominant, *self.languages))

    def hard_negatives(self) -> Mapping[str, Pairs]:
        """Number words against the next number; the other sets have no y that is one fact off."""
        return {f"numbers, {code}": _next_numbers(self.dominant, code) for code in self.languages}

    def readouts(self) -> Mapping[str, Sequence[Readout]]:
        """Before each word of the authored sentences that the built-in lexicon knows."""
        return {
            f"next word, {code}": next_word_readouts(
                sentences(code),
                code,
                Lexicon.builtin(code, self.dominant),
                Lexicon.builtin(code, control_for(code, self.languages)),
            )
            for code in self.languages
        }

    def interventions(self) -> Mapping[str, Patching | TextSteering]:
        """Patching of translated words, and sentiment steering of texts if scorers are given.

        What is translated out of the dominant language is patched from each other language into
        the next, and from all others at once.
        """
        routes = [*ring_routes(self.languages), *averaged_routes(self.languages, self.languages)]
        pairs = {
            f"translation {route.name}": patch_pairs(
                route.sources, route.base, dominant=self.dominant, at_most=self.at_most
            )
            for route in routes
        }
        return {**patchings(pairs), **self._sentiment()}

    def texts(self) -> Mapping[str, LanguageTexts]:
        """The authored sentences, for the mass of every language in each but the dominant one."""
        every = (self.dominant, *self.languages)
        return {
            f"sentences, {code}": LanguageTexts.of(sentences(code), code, every)
            for code in self.languages
        }

    def _sentiment(self) -> Mapping[str, TextSteering]:
        """Steering of each language's texts, scored also by the share in the language."""
        if not self.scorers:
            return {}
        return {
            f"sentiment, {code}": sentiment_steering(
                code,
                self.dominant,
                scorers={**self.scorers, f"in {code}": language_share(code)},
                depths=SENTIMENT_DEPTHS,
            )
            for code in self.languages
        }


def _next_numbers(x: str, y: str) -> Pairs:
    """Number words, y one more than x (after 99 one less)."""
    pairs = word_pairs(x, y, "number")
    near = [98 if label == "99" else int(label) + 1 for label in pairs.labels]
    return replace(pairs, y=tuple(Prompt(number_word(number, y)) for number in near))


@lru_cache(maxsize=1)
def _sentence_table() -> tuple[Mapping[str, str], ...]:
    return tuple(read_table(DATA / "sentences.tsv", ("id", *LANGUAGES), "sentences"))


def _words(kind: WordKind, language: str) -> Mapping[str, str]:
    if kind == "number":
        return {str(number): number_word(number, language) for number in range(100)}
    if kind != "lexicon":
        return cldr_names(kind, language)
    concepts = builtin_concepts()
    if language not in concepts[0].words:
        raise SemanticHubError(
            "word_pairs",
            got=f"language {language!r}",
            expected=f"one of {', '.join(LANGUAGES)} for kind 'lexicon'",
            fix="Use another kind, or Pairs.from_tsv.",
        )
    return {concept.name: concept.words[language] for concept in concepts}

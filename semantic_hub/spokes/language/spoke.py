"""`LanguageSpoke`: named sets of everything that the language data offer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal, get_args

from semantic_hub.errors import SemanticHubError, set_tuples
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.interventions.spec import Patching, TextSteering
from semantic_hub.interventions.text.scorers import Scorer
from semantic_hub.lenses.mass.texts import LanguageTexts
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.prompts.tables import read_table
from semantic_hub.spokes.language.reading import next_word_readouts
from semantic_hub.spokes.language.sentiment import sentiment_steering
from semantic_hub.spokes.language.share import language_share
from semantic_hub.spokes.language.translation import prompt_forms
from semantic_hub.spokes.lexicon.concepts import word_concepts
from semantic_hub.spokes.lexicon.dictionary import (
    CONTENT_WORDS,
    DATA,
    Lexicon,
    builtin_concepts,
)
from semantic_hub.spokes.lexicon.languages import LANGUAGES, check_languages, control_for
from semantic_hub.spokes.lexicon.names import cldr_names
from semantic_hub.spokes.lexicon.numbers import number_word
from semantic_hub.spokes.routes import averaged_routes, patchings_in_forms, ring_routes

CONTINUATIONS: Mapping[str, str] = {
    "en": " In other words",
    "es": " En otras palabras",
    "fr": " En d'autres termes",
    "de": " Mit anderen Worten",
    "ru": " Другими словами",
    "zh": "换句话说",
}
"""Neutral text after a sentence, so that its state is not read at the full stop."""

SENTIMENT_DEPTHS = (0.25, 0.5, 0.75)
"""Layers at which the spoke steers texts, as fractions of the depth; generating texts is slow."""

WordKind = Literal["number", "day", "month", "territory", "language", "lexicon"]
"""Kinds of words in `word_pairs`."""


def sentences(language: str) -> tuple[str, ...]:
    """The 120 authored everyday sentences in a language, in the same order in each.

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
            fix="Read your own sentences with Pairs.from_tsv.",
        )
    return tuple(row[language] for row in _sentence_table())


def pairs(x: str = "en", y: str = "es", *, continued: bool = True) -> Pairs:
    """Pair the authored parallel sentences in two languages.

    Args:
        x: A language of `LANGUAGES`.
        y: Another one.
        continued: Whether to add a short neutral continuation in the sentence's language
            (`CONTINUATIONS`) and read at its last word: the state at a full stop is similar for
            all sentences.

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
    """Pair words of one kind in two languages.

    Words with the same spelling in both languages are left out, because they would match by their
    tokens.

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
    """Language spoke: each language against the dominant one.

    Args:
        dominant: Language in which the hub is expected.
        languages: Other languages; the control of each is another one of them.
        at_most: Patch pairs in each set of interventions, evenly spaced: each is run at every
            layer.
        scorers: Scores of generated texts by name, such as
            `semantic_hub.interventions.text.scorers.sentiment_classifier`. Where some are given,
            texts in each language are steered towards good sentiment (`sentiment_steering`) and
            scored by these and by the share in the language, which is slow.
        parts_of_speech: Words that are read out. Content words by default: these are found to pass
            through English, function words are not (Schut et al. 2025, arXiv 2502.15603). A second
            spoke with `semantic_hub.spokes.lexicon.dictionary.FUNCTION_WORDS` and a name of its own
            shows those.
        name: Name of the spoke in results.

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
    parts_of_speech: tuple[str, ...] = CONTENT_WORDS
    name: str = "language"

    def __post_init__(self) -> None:
        set_tuples(self, languages=str)
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
        """Words for colors, animals and numbers, for comparison with other spokes."""
        return word_concepts((self.dominant, *self.languages))

    def hard_negatives(self) -> Mapping[str, Pairs]:
        """Number words against the next number; the other sets have no hard negatives."""
        return {f"numbers, {code}": _next_numbers(self.dominant, code) for code in self.languages}

    def readouts(self) -> Mapping[str, Sequence[Readout]]:
        """Read-outs before each word of the authored sentences that the built-in lexicon has."""
        return {f"next word, {code}": self._next_words(code) for code in self.languages}

    def interventions(self) -> Mapping[str, Patching | TextSteering]:
        """Patching of translated words, and sentiment steering of texts if scorers are given.

        Words translated out of the dominant language are patched from each other language into
        the next, and from all others at once, in the wording that the model answers best on other
        words (`semantic_hub.spokes.language.translation.FORMS`).
        """
        routes = [*ring_routes(self.languages), *averaged_routes(self.languages, self.languages)]
        forms = {
            f"translation {route.name}": prompt_forms(
                route.sources, route.base, dominant=self.dominant, at_most=self.at_most
            )
            for route in routes
        }
        return {**patchings_in_forms(forms), **self._sentiment()}

    def texts(self) -> Mapping[str, LanguageTexts]:
        """Authored sentences in each non-dominant language, to measure all languages' mass."""
        languages = (self.dominant, *self.languages)
        return {
            f"sentences, {code}": LanguageTexts.of(sentences(code), code, languages)
            for code in self.languages
        }

    def _next_words(self, code: str) -> list[Readout]:
        """Read-outs before the words of one language's sentences, of the parts of speech."""
        hub, control = (
            Lexicon.builtin(code, target, parts_of_speech=self.parts_of_speech)
            for target in (self.dominant, control_for(code, self.languages))
        )
        return next_word_readouts(sentences(code), code, hub, control)

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
    """Pair number words with the next number (98 after 99)."""
    numbers = word_pairs(x, y, "number")
    near = [98 if label == "99" else int(label) + 1 for label in numbers.labels]
    return replace(numbers, y=tuple(Prompt(number_word(number, y)) for number in near))


@lru_cache(maxsize=1)
def _sentence_table() -> tuple[Mapping[str, str], ...]:
    """Authored sentences, one row for each, with an id."""
    return tuple(read_table(DATA / "sentences.tsv", ("id", *LANGUAGES), "sentences"))


def _words(kind: WordKind, language: str) -> Mapping[str, str]:
    """Mapping from identifier to the word in a language."""
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

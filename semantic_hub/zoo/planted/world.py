"""Worlds of the planted models: their words, prompts, pairs and read-outs.

A prompt is a language's marker and a word, ``"<es> es:dog"``, and the model's next token is the
word for that concept in the marker's language. Both worlds have the same answers to such prompts:

- ``planted-hub``: all languages share one code for a concept. The unembedding of the dominant
  language's words has a part along it, so that the lens reads that language in the middle.
- ``planted-separate``: each language has its own codes, orthogonal to those of all others. Every
  measure of a hub must be null. (It has no answer to a prompt in two languages, which the hub
  translates.)
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.patching.pairs import PatchPair
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import HUB, SURFACE, Prompt, Readout
from semantic_hub.zoo.planted.codes import Codes, draw_codes

Item = TypeVar("Item")

GROUPS = (SURFACE, HUB, "control")
"""Groups of `PlantedWorld.readouts`, in this order."""

START, STOP, PADDING, UNKNOWN = SPECIAL = ("<s>", "</s>", "<pad>", "<unk>")
"""Special tokens."""


@dataclass(frozen=True)
class PlantedWorld:
    """Words and codes of a planted model, which determine its weights.

    Args:
        shared: Whether the languages share their concept codes (``planted-hub``) or not
            (``planted-separate``).
        languages: Names of the languages, the dominant one first.
        concepts: Names of the concepts.
        seed: Seed of the codes. Two worlds that differ only in ``shared`` have all other codes in
            common.

    Raises:
        SemanticHubError: Fewer than 2 languages or 3 concepts, or names that occur twice, are
            empty, or contain spaces.

    Example:
        >>> world = PlantedWorld(True, ("en", "es"), ("dog", "cat", "horse"))
        >>> world.prompt("es", "dog").text
        '<es> es:dog'
    """

    shared: bool
    languages: tuple[str, ...]
    concepts: tuple[str, ...]
    seed: int = 0
    __repr__ = short_repr

    def __post_init__(self) -> None:
        _check_names("languages", self.languages, at_least=2)
        _check_names("concepts", self.concepts, at_least=3)

    @property
    def name(self) -> str:
        """Name for `semantic_hub.load_model`."""
        return "planted-hub" if self.shared else "planted-separate"

    @cached_property
    def codes(self) -> Codes:
        """Directions that the weights are built from."""
        return draw_codes(self.seed, len(self.languages), len(self.concepts), self.shared)

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """All tokens by id: special tokens, markers, then the words, language by language."""
        markers = [self.marker(language) for language in self.languages]
        return (*SPECIAL, *markers, *(w for lang in self.languages for w in self.words(lang)))

    @property
    def first_word(self) -> int:
        """Id of the first word; all later ids are words too."""
        return len(SPECIAL) + len(self.languages)

    def index(self, language: str) -> int:
        """Index of a language in `languages`.

        Raises:
            SemanticHubError: No such language.
        """
        if language not in self.languages:
            raise SemanticHubError(
                self.name,
                got=f"language {language!r}",
                expected=f"one of {', '.join(self.languages)}",
                fix="Choose one of these.",
            )
        return self.languages.index(language)

    def marker(self, language: str) -> str:
        """Token that sets the language of the answer: ``"<es>"``."""
        return f"<{language}>"

    def word(self, language: str, concept: str) -> str:
        """Token for a concept in a language: ``"es:dog"``."""
        return f"{language}:{concept}"

    def words(self, language: str) -> tuple[str, ...]:
        """Words of a language, in the order of `concepts`."""
        self.index(language)
        return tuple(self.word(language, concept) for concept in self.concepts)

    def prompt(self, language: str, concept: str) -> Prompt:
        """Prompt whose answer is the word for `concept` in `language`."""
        return Prompt(f"{self.marker(language)} {self.word(language, concept)}")

    def prompts(self, language: str) -> tuple[Prompt, ...]:
        """Prompts for all concepts, in the order of `concepts`."""
        self.index(language)
        return tuple(self.prompt(language, concept) for concept in self.concepts)

    def pairs(self, x: str, y: str) -> Pairs:
        """Pairs of every concept in two languages.

        Raises:
            SemanticHubError: No such language.
        """
        return Pairs(self.prompts(x), self.prompts(y), x, y, self.concepts)

    def readouts(self, language: str) -> list[Readout]:
        """Read-outs of every concept in a non-dominant language, with the candidates of `GROUPS`.

        The candidates are its words in this language, in the dominant one, and in a third.

        Raises:
            SemanticHubError: No such language, the dominant one, or no third language.
        """
        read = dict(zip(GROUPS, self.readout_languages(language), strict=True))
        return [
            Readout(prompt, {group: (self.word(lang, c),) for group, lang in read.items()})
            for prompt, c in zip(self.prompts(language), self.concepts, strict=True)
        ]

    def readout_languages(self, language: str) -> tuple[str, str, str]:
        """Languages of the candidates in `GROUPS`, for read-outs of a non-dominant language.

        Raises:
            SemanticHubError: No such language, the dominant one, or no third language.
        """
        dominant, *others = self.languages
        thirds = [other for other in others if other != self.languages[self.index(language)]]
        if language == dominant or not thirds:
            raise SemanticHubError(
                f"{self.name}.readouts",
                got=f"{language!r} of {', '.join(self.languages)}",
                expected="a language that is not the first one, and a third to compare with",
                fix="Read a non-dominant language, in a world of at least 3.",
            )
        return language, dominant, thirds[0]

    def patch_pairs(self, source: str, base: str) -> tuple[PatchPair, ...]:
        """Patch pairs of each concept in one language (source) and the previous in another (base).

        The answers are words of the base's language: ``"source"`` for the source's concept,
        ``"other"`` for the concept half-way around from it, which neither prompt is about. (Against
        the base's own word, a patch that merely destroys its concept would count as half an effect;
        against a neighbor's word, effects on neighbors would be correlated and bootstrap intervals
        too narrow.) The reference is the source's concept in the base's language.

        Args:
            source: Language of the sources.
            base: Language of the bases, may be the same.

        Returns:
            One pair for each concept of the source, in the order of `concepts`.

        Raises:
            SemanticHubError: No such language.
        """
        prompts, words = self.prompts(base), self.words(base)
        others = _rolled(words, -(len(words) // 2))
        rows = zip(self.prompts(source), _rolled(prompts, 1), prompts, words, others, strict=True)
        return tuple(
            PatchPair((given,), asked, {"source": (word,), "other": (other,)}, reference)
            for given, asked, reference, word, other in rows
        )


def _rolled(items: tuple[Item, ...], by: int) -> tuple[Item, ...]:
    """Items rotated, so that item i of the result is item i − by."""
    return (*items[-by:], *items[:-by])


def _check_names(kind: str, names: tuple[str, ...], at_least: int) -> None:
    """Raise unless there are enough distinct names without spaces."""
    usable = all(name and not any(map(str.isspace, name)) for name in names)
    if len(names) < at_least or len(set(names)) < len(names) or not usable:
        raise SemanticHubError(
            "PlantedWorld",
            got=f"{kind} {names!r}",
            expected=f"at least {at_least} different names without spaces",
            fix="Give each its own name.",
        )

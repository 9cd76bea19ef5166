"""Words to translate, and exchanges of what is translated.

A question names a word in one language and begins its translation into another, after a few
examples. Donor and recipient ask for two things in two languages; if the concept is represented
apart from the language, a patch makes the recipient name the donor's thing in its own language.
Source: Dumas et al. 2025, "Separating Tongue from Thought", arXiv 2411.08745: the form of the
prompts, five examples, and donors averaged over languages.
"""

from collections.abc import Sequence

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.patching.exchange import Exchange
from semantic_hub.spokes.lexicon.dictionary import Concept, builtin_concepts
from semantic_hub.spokes.lexicon.names import cldr_names
from semantic_hub.spokes.routes import swap
from semantic_hub.spokes.sampling import evenly_spaced

NOUNS = ("animal", "food", "thing", "nature", "clothing", "body", "plant")
"""The kinds of the built-in lexicon's concepts that are translated."""


def nouns() -> tuple[Concept, ...]:
    """The concepts of the built-in lexicon that have a noun in every language.

    Example:
        >>> len(nouns())
        200
    """
    return tuple(concept for concept in builtin_concepts() if concept.kind in NOUNS)


def question(concept: Concept, source: str, target: str, examples: Sequence[Concept] = ()) -> str:
    """A word of one language, and its translation into another up to the quotation mark.

    Args:
        concept: What is to be translated.
        source: The language of the word.
        target: The language to translate into.
        examples: Concepts that are translated before it, one in a line.

    Raises:
        SemanticHubError: A language that the built-in lexicon lacks.

    Example:
        >>> dog, cat, *_ = nouns()
        >>> print(question(dog, "en", "es", examples=[cat]))
        English: "cat" - Español: "gato"
        English: "dog" - Español: "
    """
    lines = [
        *(_asked(e, source, target) + _word(e, target) + '"' for e in examples),
        _asked(concept, source, target),
    ]
    return "\n".join(lines)


def exchanges(
    donors: str | Sequence[str],
    recipient: str,
    *,
    source: str = "en",
    examples: int = 5,
    seed: int = 0,
    at_most: int = 100,
) -> tuple[Exchange, ...]:
    """What one prompt translates, moved into a translation of something else, in another language.

    Targets are named as `semantic_hub.spokes.routes.TARGETS`.

    Args:
        donors: The language that the donor's word is translated into; or several, whose runs are
            averaged.
        recipient: The language that the recipient's word is translated into.
        source: The language that both are translated from.
        examples: Translations that come before each question, of nouns that are then not asked for.
        seed: Decides which word goes into which.
        at_most: Exchanges to keep, evenly spaced.

    Raises:
        SemanticHubError: No donors, the recipient or the source among them, or a language that the
            built-in lexicon lacks.

    Example:
        >>> swapped = exchanges("es", "fr", examples=0)[0]
        >>> print(swapped.donors[0].text, swapped.recipient.text, sep="\\n")
        English: "dog" - Español: "
        English: "wheel" - Français: "
        >>> dict(swapped.targets)
        {'donor': ('chien',), 'recipient': ('roue',), "donor's notation": ('perro',)}
    """
    languages = (donors,) if isinstance(donors, str) else tuple(donors)
    _check_source(source, (*languages, recipient))
    shown = evenly_spaced(nouns(), examples) if examples else ()

    def ask(concept: Concept, language: str) -> str:
        return question(concept, source, language, shown)

    asked = [concept for concept in nouns() if concept not in shown]
    return swap(asked, languages, recipient, ask, _word, seed=seed, at_most=at_most)


def _check_source(source: str, targets: Sequence[str]) -> None:
    if source in targets:
        raise SemanticHubError(
            "exchanges",
            got=f"translation from {source} into {', '.join(targets)}",
            expected="a source that is none of the languages translated into",
            fix="Choose another source.",
        )


def _asked(concept: Concept, source: str, target: str) -> str:
    return f'{_autonym(source)}: "{_word(concept, source)}" - {_autonym(target)}: "'


def _autonym(language: str) -> str:
    """What a language calls itself, with a capital letter as at the start of a line."""
    _check_known(language)
    name = cldr_names("language", language)[language]
    return name[:1].upper() + name[1:]


def _word(concept: Concept, language: str) -> str:
    _check_known(language)
    return concept.words[language]


def _check_known(language: str) -> None:
    known = builtin_concepts()[0].words
    if language not in known:
        raise SemanticHubError(
            "translation",
            got=f"language {language!r}",
            expected=f"one of {', '.join(known)}",
            fix="Choose languages of the built-in lexicon.",
        )

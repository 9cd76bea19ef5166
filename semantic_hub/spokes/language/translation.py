"""Translation prompts, and patch pairs of two of them.

A question names a word in one language and begins its translation into another, after a few
examples. Source and base ask for two concepts in two languages; if the concept is represented apart
from the language, a patch makes the base answer with the source's concept in its own language.
Source: Dumas et al. 2025, "Separating Tongue from Thought", arXiv 2411.08745: the form of the
prompts, five examples, and sources averaged over languages.
"""

from collections.abc import Sequence

from semantic_hub.errors import SemanticHubError, as_list
from semantic_hub.interventions.patching.pairs import PatchPair
from semantic_hub.spokes.lexicon.dictionary import Concept, builtin_concepts
from semantic_hub.spokes.lexicon.names import cldr_names
from semantic_hub.spokes.routes import make_pairs
from semantic_hub.spokes.sampling import evenly_spaced


def nouns() -> tuple[Concept, ...]:
    """Nouns of the built-in lexicon, which are translated.

    Example:
        >>> len(nouns())
        394
    """
    return tuple(concept for concept in builtin_concepts() if concept.part_of_speech == "noun")


def question(concept: Concept, source: str, target: str, examples: Sequence[Concept] = ()) -> str:
    """Text that asks for a translation, such as ``English: "dog" - Español: "``.

    Args:
        concept: Concept to translate.
        source: Language of the word.
        target: Language to translate into.
        examples: Concepts that are translated before it, one per line.

    Raises:
        SemanticHubError: A language that the built-in lexicon lacks.

    Example:
        >>> dog, cat, *_ = nouns()
        >>> print(question(dog, "en", "es", examples=[cat]))
        English: "cat" - Español: "gato"
        English: "dog" - Español: "
    """
    lines = [
        *(_open_question(e, source, target) + _word(e, target) + '"' for e in examples),
        _open_question(concept, source, target),
    ]
    return "\n".join(lines)


def patch_pairs(
    sources: str | Sequence[str],
    base: str,
    *,
    dominant: str = "en",
    examples: int = 5,
    seed: int = 0,
    at_most: int = 100,
) -> tuple[PatchPair, ...]:
    """Patch pairs of two translation prompts that differ in the word and in the target language.

    Answers are named as `semantic_hub.spokes.routes.ANSWERS`.

    Args:
        sources: Language that the source's word is translated into, or several whose runs are
            averaged.
        base: Language that the base's word is translated into.
        dominant: Language that both are translated from.
        examples: Number of translations before each question, of nouns that are not asked for.
        seed: Seed of the pairing.
        at_most: Patch pairs to keep, evenly spaced.

    Raises:
        SemanticHubError: No sources, the base or the dominant language among them, or a language
            that the built-in lexicon lacks.

    Example:
        >>> pair = patch_pairs("es", "fr", examples=0)[0]
        >>> print(pair.sources[0].text, pair.base.text, sep="\\n")
        English: "dog" - Español: "
        English: "box" - Français: "
        >>> dict(pair.answers)
        {'source': ('chien',), 'base': ('boîte',), "source's notation": ('perro',)}
    """
    languages = tuple(as_list("patch_pairs", "sources", sources, str))
    _check_dominant(dominant, (*languages, base))
    translated = evenly_spaced(nouns(), examples) if examples else ()

    def ask(concept: Concept, language: str) -> str:
        return question(concept, dominant, language, translated)

    others = [concept for concept in nouns() if concept not in translated]
    return make_pairs(others, languages, base, ask, _word, seed=seed, at_most=at_most)


def _check_dominant(dominant: str, languages: Sequence[str]) -> None:
    if dominant in languages:
        raise SemanticHubError(
            "patch_pairs",
            got=f"translation from {dominant} into {', '.join(languages)}",
            expected="a language to translate from that is none of those translated into",
            fix="Choose another dominant language.",
        )


def _open_question(concept: Concept, source: str, target: str) -> str:
    """One line, up to the quotation mark before the translation."""
    return f'{_autonym(source)}: "{_word(concept, source)}" - {_autonym(target)}: "'


def _autonym(language: str) -> str:
    """Name of a language in itself, with a capital letter."""
    _check_known(language)
    name = cldr_names("language", language)[language]
    return name[:1].upper() + name[1:]


def _word(concept: Concept, language: str) -> str:
    """Word of a concept in a language."""
    _check_known(language)
    return concept.words[language]


def _check_known(language: str) -> None:
    """Raise unless the built-in lexicon has the language."""
    known = builtin_concepts()[0].words
    if language not in known:
        raise SemanticHubError(
            "translation",
            got=f"language {language!r}",
            expected=f"one of {', '.join(known)}",
            fix="Choose languages of the built-in lexicon.",
        )

"""Translation prompts, and patch pairs of two of them.

A question names a word in one language and begins its translation into another, after a few
examples. Source and base ask for two concepts in two languages; if the concept is represented apart
from the language, a patch makes the base answer with the source's concept in its own language.
Source: Dumas et al. 2025, "Separating Tongue from Thought", arXiv 2411.08745: the form of the
prompts, five examples, and sources averaged over languages.
"""

from collections.abc import Callable, Mapping, Sequence

from semantic_hub.errors import SemanticHubError, as_list, check_choice
from semantic_hub.interventions.patching.pairs import PatchPair
from semantic_hub.interventions.spec import PromptForm
from semantic_hub.spokes.lexicon.dictionary import Concept, builtin_concepts
from semantic_hub.spokes.lexicon.names import cldr_names
from semantic_hub.spokes.routes import make_forms, make_pairs
from semantic_hub.spokes.sampling import evenly_spaced

FORMS = ("quotes", "plain", "question")
"""Wordings of a question, as `question` writes them, today's first."""

_QUESTIONS: Mapping[str, Callable[[str, str], str]] = {
    "en": lambda word, to: f'How do you say "{word}" in {to}? "',
    "es": lambda word, to: f'¿Cómo se dice "{word}" en {to}? "',
    "fr": lambda word, to: f'Comment dit-on "{word}" en {to} ? "',
    "de": lambda word, to: f'Wie sagt man "{word}" auf {to}? "',
    "zh": lambda word, to: f'"{word}"用{to}怎么说？"',
    "ru": lambda word, to: f'Как сказать "{word}" по-{to.removesuffix("й")}? "',
}
"""A question in each language, from a word and the other language's name to the quotation mark."""


def nouns() -> tuple[Concept, ...]:
    """Nouns of the built-in lexicon, which are translated.

    Example:
        >>> len(nouns())
        394
    """
    return tuple(concept for concept in builtin_concepts() if concept.part_of_speech == "noun")


def question(
    concept: Concept,
    source: str,
    target: str,
    examples: Sequence[Concept] = (),
    *,
    form: str = "quotes",
) -> str:
    """Text that asks for a translation, such as ``English: "dog" - Español: "``.

    Args:
        concept: Concept to translate.
        source: Language of the word.
        target: Language to translate into.
        examples: Concepts that are translated before it, one per line.
        form: ``"quotes"``; ``"plain"``, the same without quotation marks; or ``"question"``, one in
            the source's language, ``How do you say "dog" in Spanish? "``.

    Raises:
        SemanticHubError: A language that the built-in lexicon lacks, or another form.

    Example:
        >>> dog, cat, *_ = nouns()
        >>> print(question(dog, "en", "es", examples=[cat]))
        English: "cat" - Español: "gato"
        English: "dog" - Español: "
        >>> question(dog, "en", "es", form="plain")
        'English: dog - Español:'
    """
    check_choice("translation.question", "form", form, FORMS)
    solved = [
        _open_question(e, source, target, form)
        + (f" {_word(e, target)}" if form == "plain" else f'{_word(e, target)}"')
        for e in examples
    ]
    return "\n".join([*solved, _open_question(concept, source, target, form)])


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


def prompt_forms(
    sources: str | Sequence[str],
    base: str,
    *,
    dominant: str = "en",
    examples: int = 5,
    seed: int = 0,
    at_most: int = 100,
) -> dict[str, PromptForm]:
    """The pairs of `patch_pairs` in every form of `FORMS`, with held-out nouns.

    Args:
        sources: As in `patch_pairs`, and so are the others.
        base: Language that the base's word is translated into.
        dominant: Language that both are translated from, the held-out nouns into the base's.
        examples: Number of translations before each question.
        seed: Seed of the pairing, and of the held-out nouns.
        at_most: Patch pairs to keep, evenly spaced.

    Raises:
        SemanticHubError: As `patch_pairs`.

    Example:
        >>> forms = prompt_forms("es", "fr", examples=0)
        >>> for form in forms.values():
        ...     print(form.held_out[0].prompt.text, form.held_out[0].candidates["right"])
        English: "cat" - Français: " ('chat',)
        English: cat - Français: ('chat',)
        How do you say "cat" in French? " ('chat',)
    """
    languages = tuple(as_list("patch_pairs", "sources", sources, str))
    _check_dominant(dominant, (*languages, base))
    translated = evenly_spaced(nouns(), examples) if examples else ()
    others = [concept for concept in nouns() if concept not in translated]

    def asking(form: str) -> Callable[[Concept, str], str]:
        return lambda concept, to: question(concept, dominant, to, translated, form=form)

    questions = {form: asking(form) for form in FORMS}
    return make_forms(others, languages, base, questions, _word, seed=seed, at_most=at_most)


def _check_dominant(dominant: str, languages: Sequence[str]) -> None:
    if dominant in languages:
        raise SemanticHubError(
            "patch_pairs",
            got=f"translation from {dominant} into {', '.join(languages)}",
            expected="a language to translate from that is none of those translated into",
            fix="Choose another dominant language.",
        )


def _open_question(concept: Concept, source: str, target: str, form: str) -> str:
    """One line, up to the translation, with the quotation mark before it if there is one."""
    if form == "plain":
        return f"{_autonym(source)}: {_word(concept, source)} - {_autonym(target)}:"
    if form == "question":
        _check_known(target)
        return _QUESTIONS[source](_word(concept, source), cldr_names("language", source)[target])
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

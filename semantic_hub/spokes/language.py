"""The language spoke: the same meaning in two languages.

Similarity pairs parallel sentences, or the same name or number in two languages. The lens reads
before a word of a text in language X, and asks for its translations in the dominant language.
Source: Wu et al. 2025, arXiv 2411.04986, section 3 (languages).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

from semantic_hub.errors import SemanticHubError
from semantic_hub.pairs import Pairs
from semantic_hub.prompts import Prompt, Readout
from semantic_hub.spokes.lexicon import DATA, Lexicon, builtin_concepts
from semantic_hub.spokes.names import cldr_names
from semantic_hub.spokes.numbers import number_word
from semantic_hub.tables import read_table

LANGUAGES = ("en", "es", "fr", "de", "zh", "ru")
"""The languages of the authored sentences and of the built-in lexicon."""

CONTINUATIONS: Mapping[str, str] = {
    "en": " In other words",
    "es": " En otras palabras",
    "fr": " En d'autres termes",
    "de": " Mit anderen Worten",
    "ru": " Другими словами",
    "zh": "换句话说",
}
"""What may follow a sentence so that its state is not read at the full stop."""

WordKind = Literal["number", "day", "month", "territory", "language", "lexicon"]

_UNSPACED = ("zh", "ja", "th")


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


def next_word_readouts(
    texts: Iterable[str],
    language: str,
    hub: Lexicon,
    control: Lexicon,
) -> list[Readout]:
    """A read-out before every word of the texts that both dictionaries know.

    The groups are ``surface`` (the word as it stands there), ``hub`` (its translations in the
    dominant language), ``control`` (those in a third language) and ``unrelated`` (the dominant
    language's word for something else: the hub candidates of another read-out).

    Args:
        texts: Texts in `language`.
        language: Its code; Chinese, Japanese and Thai are searched for the longest known words.
        hub: A dictionary from `language` into the dominant language.
        control: A dictionary from `language` into a third language.

    Returns:
        Read-outs, each with the text before the word as its prompt; none at a text's first word.

    Raises:
        SemanticHubError: Fewer than two read-outs, so that none can be the other's control.

    Example:
        >>> hub, control = Lexicon.builtin("es", "en"), Lexicon.builtin("es", "fr")
        >>> [r.candidates["hub"] for r in
        ...  next_word_readouts(["El perro y el gato."], "es", hub, control)]
        [('dog',), ('cat',)]
    """
    found = [
        (before, word)
        for text in texts
        for before, word in _known_words(text, language, hub)
        if _translations(control, word) and before
    ]
    if len(found) < 2:
        raise SemanticHubError(
            "next_word_readouts",
            got=f"{len(found)} words that both dictionaries know, and that are not a text's first",
            expected="at least 2",
            fix="Give longer texts or larger dictionaries.",
        )
    hubs = [_translations(hub, word) for _, word in found]
    return [
        Readout(
            Prompt(before),
            {
                "surface": (word,),
                "hub": hubs[index],
                "control": _translations(control, word),
                "unrelated": _unrelated(hubs, index),
            },
        )
        for index, (before, word) in enumerate(found)
    ]


def cloze_readouts(
    path: str | Path, language: str, control: str | Path | None = None
) -> list[Readout]:
    """Read-outs from a cloze table of Wendler et al. 2024, "Do Llamas Work in English?".

    Each prompt defines a word that it does not name and ends where the word is asked for; the
    groups are ``surface`` (the word in the table's language) and ``hub`` (in English), and
    ``control`` where a table of another language is given: its word for the same English one.

    Args:
        path: A CSV file with the columns ``word_original``, ``word_translation`` and
            ``blank_prompt_translation_masked``.
        language: The table's language, for the errors.
        control: Such a file in another language.

    Returns:
        One read-out for each row whose prompt ends with the word in quotation marks (an elided
        article before it aside), in the order of the file; rows where it does not are left out.

    Raises:
        SemanticHubError: A file that is missing, empty, not UTF-8 or lacks a column, or in which
            no prompt asks for its word.
    """
    rows = read_table(path, _CLOZE_COLUMNS, "cloze_readouts")
    others = _cloze_words(control) if control is not None else None
    found = [readout for row in rows for readout in _cloze_readout(row, others)]
    if not found:
        raise SemanticHubError(
            "cloze_readouts",
            got=f"{path}: no prompt that ends with its word in quotation marks",
            expected=f"cloze prompts in {language}",
            fix="Check the columns of the file.",
        )
    return found


@dataclass(frozen=True)
class LanguageSpoke:
    """Languages for `semantic_hub.run`: each against the dominant one.

    Args:
        dominant: The language that the hub is expected to be read in.
        languages: The others; the lens' control for one is another of them.
    """

    dominant: str = "en"
    languages: tuple[str, ...] = ("es", "fr", "de", "zh", "ru")
    name: str = "language"

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

    def readouts(self) -> Mapping[str, Sequence[Readout]]:
        """Before each word of the authored sentences that the built-in lexicon knows."""
        return {
            f"next word, {code}": next_word_readouts(
                sentences(code),
                code,
                Lexicon.builtin(code, self.dominant),
                Lexicon.builtin(code, self._control(code)),
            )
            for code in self.languages
        }

    def _control(self, code: str) -> str:
        return next(other for other in self.languages if other != code)


_CLOZE_COLUMNS = ("word_original", "word_translation", "blank_prompt_translation_masked")


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


def _known_words(text: str, language: str, lexicon: Lexicon) -> Iterator[tuple[str, str]]:
    """Each known word of a text with what stands before it, without the space between."""
    if language.partition("_")[0] not in _UNSPACED:
        for match in re.finditer(r"[^\W\d_]+(?:-[^\W\d_]+)*", text):
            if _translations(lexicon, match[0]):
                yield text[: match.start()].rstrip(), match[0]
        return
    longest = max(map(len, lexicon.entries), default=0)
    start = 0
    while start < len(text):
        lengths = range(min(longest, len(text) - start), 0, -1)
        candidates = (text[start : start + length] for length in lengths)
        word = next((candidate for candidate in candidates if lexicon[candidate]), "")
        if word:
            yield text[:start], word
        start += len(word) or 1


def _translations(lexicon: Lexicon, word: str) -> tuple[str, ...]:
    """Of the word as it stands, or else in lower case, as at the start of a sentence."""
    return lexicon[word] or lexicon[word.lower()]


def _unrelated(hubs: Sequence[tuple[str, ...]], index: int) -> tuple[str, ...]:
    """The next read-out's hub candidates that have no word in common with this one's."""
    for step in range(1, len(hubs)):
        other = hubs[(index + step) % len(hubs)]
        if not set(other) & set(hubs[index]):
            return other
    raise SemanticHubError(
        "next_word_readouts",
        got=f"one meaning alone, {hubs[index]}",
        expected="texts with at least two",
        fix="Give more texts.",
    )


def _cloze_words(path: str | Path) -> Mapping[str, str]:
    rows = read_table(path, _CLOZE_COLUMNS, "cloze_readouts")
    return {row["word_original"]: row["word_translation"] for row in rows}


def _cloze_readout(row: Mapping[str, str], others: Mapping[str, str] | None) -> Iterator[Readout]:
    masked, word = row["blank_prompt_translation_masked"], row["word_translation"]
    answer = re.search(rf'"(?:\w[’\'])?(?P<word>{re.escape(word)})"\W{{0,3}}$', masked)
    if answer is None:
        return
    candidates = {"surface": (word,), "hub": (row["word_original"],)}
    if others is not None:
        if row["word_original"] not in others:
            return
        candidates["control"] = (others[row["word_original"]],)
    yield Readout(Prompt(masked[: answer.start("word")]), candidates)

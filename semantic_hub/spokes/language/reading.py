"""Read-outs for the lens from texts: the next word, and its translations from a dictionary."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import cache
from pathlib import Path

from semantic_hub.errors import SemanticHubError, as_list, require
from semantic_hub.prompts.prompt import HUB, SURFACE, Prompt, Readout
from semantic_hub.prompts.tables import read_table
from semantic_hub.spokes.lexicon.dictionary import Lexicon
from semantic_hub.spokes.lexicon.languages import is_unspaced

_SENTENCE_BEGINS = re.compile(r"(^|[.!?…:。！？：\n¿¡\"“„«(\[—–-])\s*$")

_CLOZE_COLUMNS = ("word_original", "word_translation", "blank_prompt_translation_masked")


def next_word_readouts(
    texts: str | Iterable[str],
    language: str,
    hub: Lexicon,
    control: Lexicon,
) -> list[Readout]:
    """Make a read-out before each word of the texts that both `hub` and `control` can translate.

    The groups are ``surface`` (the word as written), ``hub`` (its translations into the dominant
    language), ``control`` (its translations into a third language) and ``unrelated`` (the dominant
    language's word for something else: the hub candidates of another read-out).

    Args:
        texts: Texts in `language`.
        language: Language code; Chinese, Japanese and Thai are searched for the longest known
            words.
        hub: A dictionary from `language` into the dominant language.
        control: A dictionary from `language` into a third language.

    Returns:
        Read-outs, each with the text before the word as its prompt; none at the first word of a
        text.

    Raises:
        SemanticHubError: Fewer than two read-outs, so that none has a control.

    Example:
        >>> hub, control = Lexicon.builtin("es", "en"), Lexicon.builtin("es", "fr")
        >>> [r.candidates["hub"] for r in
        ...  next_word_readouts(["El perro y el gato."], "es", hub, control)]
        [('dog',), ('and',), ('cat',)]
    """
    places = [
        (before, word, entry)
        for text in as_list("next_word_readouts", "texts", texts, str)
        for before, word, entry in _known_words(text, language, hub)
        if control[entry] and before
    ]
    if len(places) < 2:
        raise SemanticHubError(
            "next_word_readouts",
            got=f"{len(places)} words that both dictionaries know, and that are not a text's first",
            expected="at least 2",
            fix="Give longer texts or larger dictionaries.",
        )
    hubs = [hub[entry] for *_, entry in places]
    return [
        Readout(
            Prompt(before),
            {
                SURFACE: (word,),
                HUB: hubs[index],
                "control": control[entry],
                "unrelated": _unrelated(hubs, index),
            },
        )
        for index, (before, word, entry) in enumerate(places)
    ]


def cloze_readouts(
    path: str | Path, language: str, control: str | Path | None = None
) -> list[Readout]:
    """Make read-outs from a cloze table of Wendler et al. 2024, "Do Llamas Work in English?".

    Each prompt defines a word without naming it and ends where the word is expected. The groups are
    ``surface`` (the word in the table's language), ``hub`` (the English word), and ``control`` if a
    table of another language is given: that language's word for the same English word.

    Args:
        path: A CSV file with the columns ``word_original``, ``word_translation`` and
            ``blank_prompt_translation_masked``.
        language: The table's language, named in errors.
        control: Cloze table of another language.

    Returns:
        One read-out for each row whose prompt ends with the word in quotation marks, possibly after
        an elided article, in the order of the file; other rows are left out.

    Raises:
        SemanticHubError: A file that is missing, empty, not UTF-8 or lacks a column, or in which
            no prompt ends with its word.
    """
    rows = read_table(path, _CLOZE_COLUMNS, "cloze_readouts")
    control_words = None
    if control is not None:
        control_rows = read_table(control, _CLOZE_COLUMNS, "cloze_readouts")
        control_words = {row["word_original"]: row["word_translation"] for row in control_rows}
    readouts = [readout for row in rows for readout in _cloze_readout(row, control_words)]
    if not readouts:
        raise SemanticHubError(
            "cloze_readouts",
            got=f"{path}: no prompt that ends with its word in quotation marks",
            expected=f"cloze prompts in {language}",
            fix="Check the columns of the file.",
        )
    return readouts


def _known_words(text: str, language: str, lexicon: Lexicon) -> Iterator[tuple[str, str, str]]:
    """Known words of a text: the text before each, the word as written, and as the lexicon has it.

    The text before has no trailing space. A word that begins a sentence may be known in lower case.
    """
    if is_unspaced(language):
        words = _segments(text, lexicon.entries.keys() | _words_of(language))
    else:
        words = ((m.start(), m[0]) for m in re.finditer(r"[^\W\d_]+(?:-[^\W\d_]+)*", text))
    for start, word in words:
        begins = _SENTENCE_BEGINS.search(text[:start])
        entry = word.lower() if begins and not lexicon[word] else word
        if lexicon[entry]:
            yield text[:start].rstrip(), word, entry


def _segments(text: str, words: Set[str]) -> list[tuple[int, str]]:
    """Start of each word and the word, of a text without spaces.

    From the end to the beginning, the longest word that ends there: fewer words are cut in two than
    from the beginning, because the main part of a Chinese compound comes last.
    """
    longest = max(map(len, words), default=0)
    found: list[tuple[int, str]] = []
    end = len(text)
    while end > 0:
        starts = range(max(0, end - longest), end)
        start = next((start for start in starts if text[start:end] in words), end - 1)
        found.append((start, text[start:end]))
        end = start
    return found[::-1]


@cache
def _words_of(language: str) -> Set[str]:
    """Frequent words of a language, of which wordfreq has some lists; none in other languages."""
    require("wordfreq")
    import wordfreq

    code = language.partition("_")[0]
    known = code in wordfreq.available_languages()
    return wordfreq.get_frequency_dict(code, "small").keys() if known else frozenset()


def _unrelated(hubs: Sequence[tuple[str, ...]], index: int) -> tuple[str, ...]:
    """Hub candidates of the next read-out that shares no hub candidate with this one."""
    for step in range(1, len(hubs)):
        other = hubs[(index + step) % len(hubs)]
        if not set(other) & set(hubs[index]):
            return other
    raise SemanticHubError(
        "next_word_readouts",
        got=f"only one meaning, {hubs[index]}",
        expected="texts with at least two",
        fix="Give more texts.",
    )


def _cloze_readout(
    row: Mapping[str, str], control_words: Mapping[str, str] | None
) -> Iterator[Readout]:
    """Read-out of one row, if its prompt ends with its word and the control has one too."""
    masked, word = row["blank_prompt_translation_masked"], row["word_translation"]
    answer = re.search(rf'"(?:\w[’\'])?(?P<word>{re.escape(word)})"\W{{0,3}}$', masked)
    if answer is None:
        return
    candidates = {SURFACE: (word,), HUB: (row["word_original"],)}
    if control_words is not None:
        if row["word_original"] not in control_words:
            return
        candidates["control"] = (control_words[row["word_original"]],)
    yield Readout(Prompt(masked[: answer.start("word")]), candidates)

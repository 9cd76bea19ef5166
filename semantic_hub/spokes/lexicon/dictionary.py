"""Bilingual dictionaries, and the word list in six languages that ships with the package.

A `Lexicon` can be made from the built-in word list, from a table of the user's own, or from a
Chinese-English dictionary in the CC-CEDICT format.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from semantic_hub.errors import SemanticHubError, check_choice
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.tables import read_lines, read_table
from semantic_hub.spokes.lexicon.languages import LANGUAGES

DATA = Path(__file__).parents[1] / "data"
"""Folder of the tables that ship with the spokes."""

CONTENT_WORDS = ("noun", "verb", "adjective", "adverb", "number")
"""Parts of speech that name something: things, actions, properties, circumstances, quantities."""

FUNCTION_WORDS = (
    "pronoun",
    "interrogative",
    "determiner",
    "preposition",
    "conjunction",
    "auxiliary",
    "particle",
)
"""Parts of speech that hold a sentence together."""

_CEDICT = re.compile(
    r"(?P<traditional>\S+) (?P<simplified>\S+) \[(?P<pinyin>[^]]*)\] /(?P<glosses>.*)/"
)


@dataclass(frozen=True)
class Lexicon:
    """Dictionary from one language into another: mapping from word to translations, best first.

    Example:
        >>> lexicon = Lexicon("es", "en", {"perro": ("dog",)})
        >>> lexicon["perro"]
        ('dog',)
    """

    source: str
    target: str
    entries: Mapping[str, tuple[str, ...]]
    __repr__ = short_repr

    def __getitem__(self, word: str) -> tuple[str, ...]:
        """Translations of `word`, an empty tuple if there are none."""
        return self.entries.get(word, ())

    def __len__(self) -> int:
        return len(self.entries)

    @classmethod
    def builtin(
        cls,
        source: str,
        target: str,
        *,
        parts_of_speech: Collection[str] = (*CONTENT_WORDS, *FUNCTION_WORDS),
    ) -> "Lexicon":
        """Dictionary from the built-in word list of about 660 everyday words in `LANGUAGES`.

        Args:
            source: The language to look words up in.
            target: The language of the translations.
            parts_of_speech: Which words, such as `CONTENT_WORDS` or ``("noun",)``; all by default.

        Raises:
            SemanticHubError: A language or a part of speech that the list does not have.

        Example:
            >>> Lexicon.builtin("es", "en")["perro"]
            ('dog',)
            >>> sorted(Lexicon.builtin("es", "en", parts_of_speech=["conjunction"]).entries)
            ['aunque', 'o', 'pero', 'y']
        """
        for part in parts_of_speech:
            check_choice(
                "Lexicon.builtin", "part of speech", part, (*CONTENT_WORDS, *FUNCTION_WORDS)
            )
        concepts = builtin_concepts()
        for language in (source, target):
            if language not in concepts[0].words:
                raise SemanticHubError(
                    "Lexicon.builtin",
                    got=f"language {language!r}",
                    expected=f"one of {', '.join(concepts[0].words)}",
                    fix="Read a table of your own with Lexicon.from_tsv.",
                )
        pairs = (
            (form, concept.words[target])
            for concept in concepts
            if concept.part_of_speech in parts_of_speech
            for form in concept.forms(source)
        )
        return cls(source, target, _grouped(pairs))

    @classmethod
    def from_tsv(
        cls, path: str | Path, source: str, target: str, columns: tuple[str, str] | None = None
    ) -> "Lexicon":
        """Read a dictionary from a table with a column per language; a word may have several rows.

        Args:
            path: A file with a header line; commas separate in ``.csv`` files, tabs elsewhere.
            source: The language to look words up in.
            target: The language of the translations.
            columns: Names of the two columns; None if they are named like the languages.

        Raises:
            SemanticHubError: A file that is missing, not UTF-8, lacks a column or has no entries.
        """
        left, right = columns or (source, target)
        rows = read_table(path, (left, right), "Lexicon.from_tsv")
        entries = _grouped((row[left], row[right]) for row in rows)
        return cls(source, target, _check_not_empty(entries, path, "Lexicon.from_tsv"))

    @classmethod
    def from_cedict(cls, path: str | Path, script: str = "simplified") -> "Lexicon":
        """Read a Chinese-English dictionary in the CC-CEDICT format.

        A gloss counts if it is one English word after remarks in brackets, ``to`` and articles are
        removed; classifier and cross-reference glosses (``CL:``, ``variant of``) do not count.

        Args:
            path: A file of lines ``traditional simplified [pinyin] /gloss/gloss/``.
            script: ``"simplified"`` or ``"traditional"``.

        Raises:
            SemanticHubError: No such file, not UTF-8, a line that is not of the format, or no
                entries.
        """
        if script not in ("simplified", "traditional"):
            raise SemanticHubError(
                "Lexicon.from_cedict",
                got=f"script {script!r}",
                expected="'simplified' or 'traditional'",
                fix="Name one of the two.",
            )
        entries = _grouped(_cedict_pairs(Path(path), script))
        return cls("zh", "en", _check_not_empty(entries, path, "Lexicon.from_cedict"))


@dataclass(frozen=True)
class Concept:
    """A concept of the built-in word list, with its word in every language.

    Attributes:
        part_of_speech: One of `CONTENT_WORDS` or `FUNCTION_WORDS`.
        words: Mapping from language to the dictionary form: an infinitive, a noun or pronoun in the
            nominative, an adjective in the masculine singular.
        topic: ``animal`` or ``color`` for words that are compared across spokes, otherwise empty.
        russian_object: The accusative of a Russian noun, where it differs from the nominative.
    """

    part_of_speech: str
    words: Mapping[str, str]
    topic: str = ""
    russian_object: str = ""
    __repr__ = short_repr

    @property
    def name(self) -> str:
        """Identifier: the English word."""
        return self.words["en"]

    def forms(self, language: str) -> tuple[str, ...]:
        """Forms that are looked up in a language: the word, in Russian also as an object."""
        inflected = (self.russian_object,) if language == "ru" and self.russian_object else ()
        return (self.words[language], *inflected)


@lru_cache(maxsize=1)
def builtin_concepts() -> tuple[Concept, ...]:
    """Concepts of the built-in word list: about 660, each with its word in `LANGUAGES`.

    No word stands for two concepts in any language. The list was written for this package: everyday
    words that mean the same in all six languages, without names. A word is left out where one of
    its translations often has another sense, such as French *si* (if, so) or Russian *с* (with,
    from); that leaves few function words.

    Example:
        >>> builtin_concepts()[0].words.keys() >= {"en", "es", "fr", "de", "ru", "zh"}
        True
    """
    columns = ("part_of_speech", "topic", *LANGUAGES, "ru_accusative")
    rows = read_table(DATA / "lexicon.tsv", columns, "builtin_concepts", may_be_empty=True)
    return tuple(
        Concept(
            row["part_of_speech"],
            {code: row[code] for code in LANGUAGES},
            row["topic"],
            row["ru_accusative"],
        )
        for row in rows
    )


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Distinct translations of each word, in the order of the pairs."""
    targets: dict[str, dict[str, None]] = defaultdict(dict)
    for source, target in pairs:
        targets[source][target] = None
    return {word: tuple(translations) for word, translations in targets.items()}


def _check_not_empty(
    entries: Mapping[str, tuple[str, ...]], path: str | Path, operation: str
) -> Mapping[str, tuple[str, ...]]:
    """The entries themselves, or an error that names the file."""
    if entries:
        return entries
    raise SemanticHubError(
        operation,
        got=f"{path}: no entries",
        expected="at least one word with a translation",
        fix="Check that it is the right file.",
    )


def _cedict_pairs(path: Path, script: str) -> Iterable[tuple[str, str]]:
    """Chinese word and English word of each gloss that is a single word."""
    for number, line in enumerate(read_lines(path, "Lexicon.from_cedict"), start=1):
        if not line or line.startswith("#"):
            continue
        entry = _CEDICT.fullmatch(line)
        if entry is None:
            raise SemanticHubError(
                "Lexicon.from_cedict",
                got=f"{path}:{number}: {line[:60]!r}",
                expected="'traditional simplified [pinyin] /gloss/gloss/'",
                fix="Mend the line, or drop it.",
            )
        for gloss in entry["glosses"].split("/"):
            if word := _single_word(gloss):
                yield entry[script], word


def _single_word(gloss: str) -> str | None:
    """Gloss without brackets, ``to`` and articles if it is one word, else None."""
    bare = re.sub(r"\([^()]*\)", "", gloss).strip()
    bare = re.sub(r"^(to|a|an|the) (?=\S+$)", "", bare)
    return bare if re.fullmatch(r"[^\W\d_]+(-[^\W\d_]+)*", bare) else None

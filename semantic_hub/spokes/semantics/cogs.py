"""Sentences with their logical forms, from COGS' files or from a grammar's events.

Source: Kim and Linzen 2020, COGS: A Compositional Generalization Challenge Based on Semantic
Interpretation, EMNLP, arXiv 2010.05465.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import overload

from semantic_hub.errors import SemanticHubError
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.tables import read_rows
from semantic_hub.spokes.semantics.grammar import Event
from semantic_hub.spokes.semantics.logical_forms import LogicalForm, Primitive, parse_form

PRIMITIVE = "primitive"
"""Type of COGS' rows that hold a single word, and the reason why they are skipped."""


@dataclass(frozen=True)
class Example:
    """Sentence with its logical form.

    Args:
        sentence: The sentence.
        form: Its logical form; all proper names in it occur in the sentence.
        kind: COGS' type, such as ``"in_distribution"``; any text.

    Raises:
        SemanticHubError: The sentence lacks a name of the form.

    Example:
        >>> example = Example(
        ...     "Anna was helped by Bo .",
        ...     LogicalForm.parse("help . theme ( x _ 2 , Anna ) AND help . agent ( x _ 2 , Bo )"),
        ... )
        >>> example.names, example.roles("Bo"), example.places("Bo")
        (('Anna', 'Bo'), ('agent',), (19,))
    """

    sentence: str
    form: LogicalForm
    kind: str = ""
    __repr__ = short_repr

    def __post_init__(self) -> None:
        missing = [name for name in self.form.names if not self.places(name)]
        if missing:
            raise SemanticHubError(
                "Example",
                got=f"the name {missing[0]!r} in the form of {self.sentence!r}",
                expected="names that the sentence has too",
                fix="Correct the sentence or the form.",
            )

    @classmethod
    def from_event(cls, event: Event) -> "Example":
        """Make an example from a grammar's event.

        Example:
            >>> from semantic_hub.spokes.semantics.grammar import VERBS, Party
            >>> parties = {"agent": Party("Anna"), "theme": Party("Bo")}
            >>> Example.from_event(Event(VERBS[0], "passive", parties)).sentence
            'Bo was helped by Anna .'
        """
        return cls(event.sentence, LogicalForm.parse(event.logical_form), event.construction)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Distinct proper names, in the order of the sentence."""
        return tuple(sorted(self.form.names, key=lambda name: self.places(name)[0]))

    @property
    def has_repeated_name(self) -> bool:
        """Whether a name occurs twice in the sentence."""
        return any(len(self.places(name)) > 1 for name in self.names)

    def places(self, name: str) -> tuple[int, ...]:
        """Index of each occurrence of a name in the sentence, in characters."""
        return tuple(match.start() for match in _word(name).finditer(self.sentence))

    def roles(self, name: str) -> tuple[str, ...]:
        """Distinct roles of a name."""
        return self.form.roles(name)

    def renamed(self, names: Mapping[str, str]) -> "Example":
        """Replace names in the sentence and the form, all at once.

        Args:
            names: Mapping from old name to new name; other names stay.
        """
        if not names:
            return self
        sentence = _word(*names).sub(lambda match: names[match[0]], self.sentence)
        return replace(self, sentence=sentence, form=self.form.renamed(names))


@dataclass(frozen=True)
class Examples(Sequence[Example]):
    """Sequence of examples, with the number of skipped ones by reason.

    Args:
        items: The examples.
        skipped: Number of examples that were left out, by reason.

    Example:
        >>> examples = Examples((), {"primitive": 143})
        >>> len(examples), examples.skipped["primitive"]
        (0, 143)
    """

    items: tuple[Example, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)
    __repr__ = short_repr

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Example]:
        return iter(self.items)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Example, ...]: ...
    def __getitem__(self, index: int | slice) -> Example | tuple[Example, ...]:
        return self.items[index]


def read_cogs(path: str | Path) -> Examples:
    """Read the sentences of a COGS file: sentence, logical form and type, tab-separated, no header.

    Rows of single words (type ``"primitive"``, whose forms are lambda terms or names) are skipped
    and counted.

    Args:
        path: The file, such as COGS' ``train.tsv``, UTF-8.

    Raises:
        SemanticHubError: A file that is missing, empty or not UTF-8, a row without three columns,
            an invalid form, a sentence that lacks a name of its form, or no sentence at all;
            names the file and the row.

    Example:
        >>> path = Path("cogs.tsv")
        >>> _ = path.write_text("Anna ran .\\trun . agent ( x _ 1 , Anna )\\tin_distribution\\n")
        >>> [(example.sentence, example.names) for example in read_cogs(path)]
        [('Anna ran .', ('Anna',))]
    """
    rows = [_read_row(cells, place) for place, cells in read_rows(path, "read_cogs")]
    examples = tuple(row for row in rows if row is not None)
    if not examples:
        raise SemanticHubError(
            "read_cogs", got=f"{path}: no sentences", expected="at least one", fix="Add some."
        )
    return Examples(examples, {PRIMITIVE: len(rows) - len(examples)})


def distinct_names(examples: Iterable[Example]) -> tuple[str, ...]:
    """Sorted distinct proper names of the examples."""
    return tuple(sorted({name for example in examples for name in example.names}))


def distinct_roles(examples: Iterable[Example]) -> tuple[str, ...]:
    """Distinct roles of proper names in the examples, the most frequent first.

    Example:
        >>> form = LogicalForm.parse("run . agent ( x _ 1 , Anna )")
        >>> distinct_roles([Example("Anna ran .", form)])
        ('agent',)
    """
    counts = Counter(role for e in examples for name in e.names for role in e.roles(name))
    return tuple(sorted(counts, key=lambda role: (-counts[role], role)))


def _word(*words: str) -> re.Pattern[str]:
    """Pattern of one of the words as a whole word; `re` caches compiled patterns."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)")


def _read_row(cells: list[str], location: str) -> Example | None:
    """Example of one row; None for a primitive."""
    if len(cells) != 3 or not all(cells):
        raise SemanticHubError(
            "read_cogs",
            got=f"{location}: {len(cells)} columns, {sum(map(bool, cells))} of them filled",
            expected="three: sentence, logical form and type",
            fix="Separate them with tabs.",
        )
    sentence, form, kind = cells
    try:
        parsed = parse_form(form)
        if not isinstance(parsed, Primitive):
            return Example(sentence, parsed, kind)
    except SemanticHubError as error:
        raise SemanticHubError(
            "read_cogs", got=f"{location}: {error.got}", expected=error.expected, fix=error.fix
        ) from None
    if kind != PRIMITIVE:
        raise SemanticHubError(
            "read_cogs",
            got=f"{location}: {form!r} of type {kind!r}",
            expected=f"the form of a sentence, or the type {PRIMITIVE!r}",
            fix="Correct the row, and leave out a header.",
        )
    return None

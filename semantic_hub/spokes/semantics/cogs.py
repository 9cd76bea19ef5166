"""Sentences with their logical forms, read from COGS' files or made from a grammar's events.

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
from semantic_hub.prompts.tables import read_lines
from semantic_hub.spokes.semantics.grammar import Event
from semantic_hub.spokes.semantics.logical_forms import LogicalForm, Primitive, parse_form

PRIMITIVE = "primitive"
"""The type of COGS' rows that hold a single word, and why they are skipped."""


@dataclass(frozen=True)
class Example:
    """A sentence and its logical form.

    Args:
        sentence: The sentence.
        form: Its form; all proper names in it stand in the sentence.
        kind: COGS' type, such as ``"in_distribution"``; free.

    Raises:
        SemanticHubError: A name of the form that the sentence lacks.

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

    def __post_init__(self) -> None:
        missing = [name for name in self.form.names if not self.places(name)]
        if missing:
            raise SemanticHubError(
                "Example",
                got=f"the name {missing[0]!r} in the form of {self.sentence!r}",
                expected="names that the sentence has too",
                fix="Mend the sentence or the form.",
            )

    @classmethod
    def from_event(cls, event: Event) -> "Example":
        """The sentence and the form of a grammar's event.

        Example:
            >>> from semantic_hub.spokes.semantics.grammar import VERBS, Party
            >>> parties = {"agent": Party("Anna"), "theme": Party("Bo")}
            >>> Example.from_event(Event(VERBS[0], "passive", parties)).sentence
            'Bo was helped by Anna .'
        """
        return cls(event.sentence, LogicalForm.parse(event.logical_form), event.construction)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The proper names, each once, in the order of the sentence."""
        return tuple(sorted(self.form.names, key=lambda name: self.places(name)[0]))

    @property
    def has_repeated_name(self) -> bool:
        """Whether a name occurs twice in the sentence."""
        return any(len(self.places(name)) > 1 for name in self.names)

    def places(self, name: str) -> tuple[int, ...]:
        """Where a name begins in the sentence, in characters, each time that it occurs."""
        return tuple(found.start() for found in _word(name).finditer(self.sentence))

    def roles(self, name: str) -> tuple[str, ...]:
        """The roles of a name, each once."""
        return self.form.roles(name)

    def renamed(self, names: Mapping[str, str]) -> "Example":
        """The same sentence and form with other names, all replaced at once.

        Args:
            names: Old name to new name; others stay.
        """
        if not names:
            return self
        sentence = _word(*names).sub(lambda found: names[found[0]], self.sentence)
        return replace(self, sentence=sentence, form=self.form.renamed(names))


@dataclass(frozen=True)
class Examples(Sequence[Example]):
    """A list of examples, and how many there would be more.

    Args:
        items: The examples.
        skipped: How many were left out, by reason.

    Example:
        >>> examples = Examples((), {"primitive": 143})
        >>> len(examples), examples.skipped["primitive"]
        (0, 143)
    """

    items: tuple[Example, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)

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
    """The sentences of a COGS file: sentence, logical form and type, tab-separated, no header.

    Rows of single words (type ``"primitive"``, whose forms are lambda terms or names) are counted
    and left out.

    Args:
        path: The file, such as COGS' ``train.tsv``, UTF-8.

    Raises:
        SemanticHubError: A file that is missing, empty or not UTF-8, a row without three columns,
            a form with unbalanced parentheses or another fault, a name of the form that the
            sentence lacks, or no sentence at all; names the file and the row.

    Example:
        >>> path = Path("cogs.tsv")
        >>> _ = path.write_text("Anna ran .\\trun . agent ( x _ 1 , Anna )\\tin_distribution\\n")
        >>> [(example.sentence, example.names) for example in read_cogs(path)]
        [('Anna ran .', ('Anna',))]
    """
    lines = read_lines(path, "read_cogs")
    rows = [_example(line, f"{path}:{n}") for n, line in enumerate(lines, 1) if line.strip()]
    found = tuple(row for row in rows if row is not None)
    if not found:
        raise SemanticHubError(
            "read_cogs", got=f"{path}: no sentences", expected="at least one", fix="Add some."
        )
    return Examples(found, {PRIMITIVE: len(rows) - len(found)})


def distinct_names(examples: Iterable[Example]) -> tuple[str, ...]:
    """All proper names of the examples, sorted."""
    return tuple(sorted({name for example in examples for name in example.names}))


def distinct_roles(examples: Iterable[Example]) -> tuple[str, ...]:
    """All roles that proper names have in the examples, the most frequent first.

    Example:
        >>> form = LogicalForm.parse("run . agent ( x _ 1 , Anna )")
        >>> distinct_roles([Example("Anna ran .", form)])
        ('agent',)
    """
    counts = Counter(role for e in examples for name in e.names for role in e.roles(name))
    return tuple(sorted(counts, key=lambda role: (-counts[role], role)))


def _word(*words: str) -> re.Pattern[str]:
    """One of these words, as a whole one; compiled patterns are kept by `re` itself."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)")


def _example(line: str, place: str) -> Example | None:
    """One row; None for a primitive."""
    cells = [cell.strip() for cell in line.split("\t")]
    if len(cells) != 3 or not all(cells):
        raise SemanticHubError(
            "read_cogs",
            got=f"{place}: {len(cells)} columns, {sum(map(bool, cells))} of them filled",
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
            "read_cogs", got=f"{place}: {error.got}", expected=error.expected, fix=error.fix
        ) from None
    if kind != PRIMITIVE:
        raise SemanticHubError(
            "read_cogs",
            got=f"{place}: {form!r} of type {kind!r}",
            expected=f"the form of a sentence, or the type {PRIMITIVE!r}",
            fix="Mend the row, and leave out a header.",
        )
    return None

"""Logical forms as COGS writes them, as values: read exactly, changed, and written again.

    form      = { "*" noun ";" } conjunct { "AND" conjunct }
    noun      = word "(" variable ")"
    conjunct  = noun | word { "." word } "(" variable "," argument ")"
    argument  = variable | name
    variable  = "x" "_" number

Definite nouns come first. ``see . agent ( x _ 1 , Anna )`` says that Anna is the agent of the
seeing ``x _ 1``; the number is the place of the noun or verb in the sentence, from 0. Source: Kim
and Linzen 2020, COGS, EMNLP, arXiv 2010.05465, section 3 and appendix C.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from semantic_hub.errors import SemanticHubError

Argument = int | str
"""The number of a variable, or a proper name."""


@dataclass(frozen=True)
class Conjunct:
    """One thing that a form says.

    Args:
        predicate: The words between dots: ``("dog",)``, ``("see", "agent")``,
            ``("cake", "nmod", "on")``.
        variable: The number of the noun or verb that it is said of.
        argument: The second argument of a relation; None for a noun.

    Example:
        >>> str(Conjunct(("see", "agent"), 1, "Anna"))
        'see . agent ( x _ 1 , Anna )'
    """

    predicate: tuple[str, ...]
    variable: int
    argument: Argument | None = None

    def __str__(self) -> str:
        second = "" if self.argument is None else f" , {_written(self.argument)}"
        return f"{' . '.join(self.predicate)} ( {_written(self.variable)}{second} )"

    @property
    def name(self) -> str | None:
        """The proper name that it is about, if any."""
        return self.argument if isinstance(self.argument, str) else None

    @property
    def role(self) -> str:
        """The last word of a relation, such as ``"agent"``; empty for a noun."""
        return "" if self.argument is None else self.predicate[-1]


@dataclass(frozen=True)
class Primitive:
    """A word by itself, with the form of it that COGS gives: a lambda term, or a name.

    Example:
        >>> str(parse_form("LAMBDA a . cockroach ( a )"))
        'LAMBDA a . cockroach ( a )'
    """

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class LogicalForm:
    """What a sentence says, as a conjunction.

    Args:
        definites: The nouns that are definite, without their star.
        conjuncts: All else, in the order of the sentence in COGS' own forms.

    Example:
        >>> form = LogicalForm.parse("* dog ( x _ 1 ) ; see . agent ( x _ 2 , x _ 1 )")
        >>> form.definites[0].predicate, form.conjuncts[0].argument
        (('dog',), 1)
    """

    definites: tuple[Conjunct, ...]
    conjuncts: tuple[Conjunct, ...]

    def __str__(self) -> str:
        definite = "".join(f"* {noun} ; " for noun in self.definites)
        return definite + " AND ".join(map(str, self.conjuncts))

    @classmethod
    def parse(cls, text: str) -> "LogicalForm":
        """The form of a sentence.

        Raises:
            SemanticHubError: As `parse_form`, or a primitive.
        """
        form = parse_form(text)
        if isinstance(form, cls):
            return form
        raise _error(text, "the form of a sentence, which has parentheses")

    @property
    def names(self) -> tuple[str, ...]:
        """The proper names, each once, in the order of the conjuncts."""
        return tuple(dict.fromkeys(c.name for c in self.conjuncts if c.name is not None))

    def roles(self, name: str) -> tuple[str, ...]:
        """The roles of a proper name, each once, in the order of the conjuncts.

        Example:
            >>> LogicalForm.parse("want . agent ( x _ 1 , Anna ) AND want . xcomp ( x _ 1 , x _ 3 )"
            ...                   " AND eat . agent ( x _ 3 , Anna )").roles("Anna")
            ('agent',)
        """
        return tuple(dict.fromkeys(c.role for c in self.conjuncts if c.name == name))

    def renamed(self, names: Mapping[str, str]) -> "LogicalForm":
        """The same with other names; all are replaced at once, so that two may change places.

        Args:
            names: Old name to new name; others stay.

        Example:
            >>> form = LogicalForm.parse("see . agent ( x _ 1 , A ) AND see . theme ( x _ 1 , B )")
            >>> str(form.renamed({"A": "B", "B": "A"}))
            'see . agent ( x _ 1 , B ) AND see . theme ( x _ 1 , A )'
        """
        return replace(
            self,
            conjuncts=tuple(
                c if c.name is None else replace(c, argument=names.get(c.name, c.name))
                for c in self.conjuncts
            ),
        )

    def reordered(self, rng: np.random.Generator) -> "LogicalForm":
        """The same conjunction in a random order; definite nouns stay in front, shuffled too."""
        definites, conjuncts = (
            tuple(part[place] for place in rng.permutation(len(part)))
            for part in (self.definites, self.conjuncts)
        )
        return LogicalForm(definites, conjuncts)

    @property
    def meaning(self) -> str:
        """The conjuncts without the numbers, sorted: the same for an active and its passive.

        Each variable is written as its noun or verb, so that two of one word are not told apart.

        Example:
            >>> active = "like . agent ( x _ 1 , Anna ) AND like . theme ( x _ 1 , Bo )"
            >>> passive = "like . theme ( x _ 2 , Bo ) AND like . agent ( x _ 2 , Anna )"
            >>> LogicalForm.parse(active).meaning == LogicalForm.parse(passive).meaning
            True
        """
        words = {c.variable: c.predicate[0] for c in (*self.definites, *self.conjuncts)}
        said = [f"* {noun.predicate[0]}" for noun in self.definites]
        said += [_without_numbers(conjunct, words) for conjunct in self.conjuncts]
        return " AND ".join(sorted(said))


def parse_form(text: str) -> LogicalForm | Primitive:
    """Read a form; what it gives is written as the same text, single spaces between its parts.

    Args:
        text: The form. A lambda term, and a single word, is a primitive and is kept as it is.

    Raises:
        SemanticHubError: Parentheses that do not close, or a part that is no conjunct.

    Example:
        >>> form = parse_form("* cake ( x _ 3 ) ; eat . agent ( x _ 1 , Anna )")
        >>> str(form)
        '* cake ( x _ 3 ) ; eat . agent ( x _ 1 , Anna )'
    """
    words = text.split()
    joined = " ".join(words)
    if words[:1] == ["LAMBDA"] or re.fullmatch(_WORD, joined):
        return Primitive(joined)
    _check_balanced(joined)
    *definites, rest = joined.split(" ; ")
    return LogicalForm(
        tuple(_definite(part) for part in definites),
        tuple(_conjunct(part) for part in rest.split(" AND ")),
    )


_WORD = r"[^\s().,;*]+"
_VARIABLE = r"x _ (\d+)"
_CONJUNCT = re.compile(
    rf"({_WORD}(?: \. {_WORD})*) \( {_VARIABLE}(?: , (?:{_VARIABLE}|((?!x ){_WORD})))? \)"
)


def _written(argument: Argument) -> str:
    return argument if isinstance(argument, str) else f"x _ {argument}"


def _without_numbers(conjunct: Conjunct, words: Mapping[int, str]) -> str:
    if conjunct.argument is None:
        return conjunct.predicate[0]
    second = conjunct.name or words.get(int(conjunct.argument), "?")
    return f"{' . '.join(conjunct.predicate)} ( {second} )"


def _definite(text: str) -> Conjunct:
    found = _conjunct(text.removeprefix("* "))
    if not text.startswith("* ") or found.argument is not None:
        raise _error(text, "a definite noun before the semicolon, such as '* dog ( x _ 1 )'")
    return found


def _conjunct(text: str) -> Conjunct:
    found = _CONJUNCT.fullmatch(text)
    if not found:
        raise _error(text, "a conjunct such as 'dog ( x _ 1 )' or 'see . agent ( x _ 2 , Anna )'")
    predicate, variable, number, name = found.groups()
    argument = name if number is None else int(number)
    words = tuple(predicate.split(" . "))
    if (argument is None) != (len(words) == 1):
        raise _error(text, "one argument for a noun, two for a relation")
    return Conjunct(words, int(variable), argument)


def _check_balanced(text: str) -> None:
    depths = [0, *accumulate(1 if mark == "(" else -1 for mark in re.findall(r"[()]", text))]
    if depths[-1] or not set(depths) <= {0, 1}:
        raise _error(text, "as many closing parentheses as opening ones, one pair at a time")


def _error(got: str, expected: str) -> SemanticHubError:
    return SemanticHubError(
        "parse_form", got=repr(got), expected=expected, fix="Mend the form, or leave the row out."
    )

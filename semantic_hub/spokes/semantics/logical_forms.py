"""Logical forms of COGS as values that can be parsed, changed and written again.

    form      = { "*" noun ";" } conjunct { "AND" conjunct }
    noun      = word "(" variable ")"
    conjunct  = noun | word { "." word } "(" variable "," argument ")"
    argument  = variable | name
    variable  = "x" "_" number

Definite nouns come first. ``see . agent ( x _ 1 , Anna )`` means that Anna is the agent of the
seeing ``x _ 1``; the number is the index of the noun or verb in the sentence, from 0. Source: Kim
and Linzen 2020, COGS, EMNLP, arXiv 2010.05465, section 3 and appendix C.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from semantic_hub.errors import SemanticHubError

_WORD = r"[^\s().,;*]+"
_VARIABLE = r"x _ (\d+)"
_CONJUNCT = re.compile(
    rf"({_WORD}(?: \. {_WORD})*) \( {_VARIABLE}(?: , (?:{_VARIABLE}|((?!x ){_WORD})))? \)"
)

Argument = int | str
"""Index of a variable, or a proper name."""


@dataclass(frozen=True)
class Conjunct:
    """Conjunct of a logical form.

    Args:
        predicate: The words between dots: ``("dog",)``, ``("see", "agent")``,
            ``("cake", "nmod", "on")``.
        variable: Index of the noun or verb that it is about.
        argument: Second argument of a relation; None for a noun.

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
        """Proper name in the second argument, if any."""
        return self.argument if isinstance(self.argument, str) else None

    @property
    def role(self) -> str:
        """Last word of a relation, such as ``"agent"``; empty for a noun."""
        return "" if self.argument is None else self.predicate[-1]


@dataclass(frozen=True)
class Primitive:
    """Form of a single word in COGS: a lambda term or a name.

    Example:
        >>> str(parse_form("LAMBDA a . cockroach ( a )"))
        'LAMBDA a . cockroach ( a )'
    """

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class LogicalForm:
    """Logical form of a sentence: a conjunction.

    Args:
        definites: Definite nouns, without their star.
        conjuncts: All other conjuncts; in the order of the sentence in COGS' files.

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
        """Parse the form of a sentence.

        Raises:
            SemanticHubError: As for `parse_form`, or a primitive.
        """
        form = parse_form(text)
        if isinstance(form, cls):
            return form
        raise _error(text, "the form of a sentence, which has parentheses")

    @property
    def names(self) -> tuple[str, ...]:
        """Distinct proper names, in the order of the conjuncts."""
        return tuple(dict.fromkeys(c.name for c in self.conjuncts if c.name is not None))

    def roles(self, name: str) -> tuple[str, ...]:
        """Distinct roles of a proper name, in the order of the conjuncts.

        Example:
            >>> LogicalForm.parse("want . agent ( x _ 1 , Anna ) AND want . xcomp ( x _ 1 , x _ 3 )"
            ...                   " AND eat . agent ( x _ 3 , Anna )").roles("Anna")
            ('agent',)
        """
        return tuple(dict.fromkeys(c.role for c in self.conjuncts if c.name == name))

    def renamed(self, names: Mapping[str, str]) -> "LogicalForm":
        """Replace names, all at once, so that two names can be exchanged.

        Args:
            names: Mapping from old name to new name; other names stay.

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
        """Shuffle the conjuncts; definite nouns stay in front and are shuffled too."""
        definites, conjuncts = (
            tuple(part[index] for index in rng.permutation(len(part)))
            for part in (self.definites, self.conjuncts)
        )
        return LogicalForm(definites, conjuncts)

    @property
    def meaning(self) -> str:
        """Sorted conjuncts without variable indices: the same for an active and its passive.

        Each variable is written as its noun or verb, so that two of the same word are not
        distinguished.

        Example:
            >>> active = "like . agent ( x _ 1 , Anna ) AND like . theme ( x _ 1 , Bo )"
            >>> passive = "like . theme ( x _ 2 , Bo ) AND like . agent ( x _ 2 , Anna )"
            >>> LogicalForm.parse(active).meaning == LogicalForm.parse(passive).meaning
            True
        """
        words = {c.variable: c.predicate[0] for c in (*self.definites, *self.conjuncts)}
        texts = [f"* {noun.predicate[0]}" for noun in self.definites]
        texts += [_without_numbers(conjunct, words) for conjunct in self.conjuncts]
        return " AND ".join(sorted(texts))


def parse_form(text: str) -> LogicalForm | Primitive:
    """Parse a logical form; ``str`` of the result is the text with single spaces.

    Args:
        text: The form. Lambda terms and single words become a `Primitive`.

    Raises:
        SemanticHubError: Unbalanced parentheses, or a part that is not a conjunct.

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


def _written(argument: Argument) -> str:
    """Text of a variable or name."""
    return argument if isinstance(argument, str) else f"x _ {argument}"


def _without_numbers(conjunct: Conjunct, words: Mapping[int, str]) -> str:
    """Text of a conjunct with words in place of variables."""
    if conjunct.argument is None:
        return conjunct.predicate[0]
    second = conjunct.name or words.get(int(conjunct.argument), "?")
    return f"{' . '.join(conjunct.predicate)} ( {second} )"


def _definite(text: str) -> Conjunct:
    """Parse a definite noun with its star."""
    noun = _conjunct(text.removeprefix("* "))
    if not text.startswith("* ") or noun.argument is not None:
        raise _error(text, "a definite noun before the semicolon, such as '* dog ( x _ 1 )'")
    return noun


def _conjunct(text: str) -> Conjunct:
    """Parse a conjunct."""
    match = _CONJUNCT.fullmatch(text)
    if not match:
        raise _error(text, "a conjunct such as 'dog ( x _ 1 )' or 'see . agent ( x _ 2 , Anna )'")
    predicate, variable, number, name = match.groups()
    argument = name if number is None else int(number)
    words = tuple(predicate.split(" . "))
    if (argument is None) != (len(words) == 1):
        raise _error(text, "one argument for a noun, two for a relation")
    return Conjunct(words, int(variable), argument)


def _check_balanced(text: str) -> None:
    """Raise unless parentheses are balanced and not nested."""
    depths = [0, *accumulate(1 if mark == "(" else -1 for mark in re.findall(r"[()]", text))]
    if depths[-1] or not set(depths) <= {0, 1}:
        raise _error(text, "as many closing parentheses as opening ones, one pair at a time")


def _error(got: str, expected: str) -> SemanticHubError:
    return SemanticHubError(
        "parse_form",
        got=repr(got),
        expected=expected,
        fix="Correct the form, or leave the row out.",
    )

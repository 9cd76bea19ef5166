"""Programs and logical forms about hub-mini's world: the same meanings in two formal languages.

`say_in` says any meaning in a spoken language, in digits, in Python or in logic. The names in a
program (of parameters, of lists) and the roles in a form are English words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.semantics.grammar import ROLES, Event, Role
from semantic_hub.zoo.world.grammar import DOMINANT, Voice
from semantic_hub.zoo.world.meanings import Card, Fact, Meaning, Sentence, Sum, Term, number_term

PYTHON, LOGIC = "python", "logic"

_ENGLISH = Voice(DOMINANT)


@dataclass(frozen=True)
class Listing:
    """``animal: dog, cat, and horse.``, with or without its heading.

    Args:
        heading: What all of them are, an English word; empty to leave it out.
        terms: What is listed.
        conjunction: ``"and"``, ``"or"``, or ``"not"``, which denies each.
    """

    heading: str
    terms: tuple[Term, ...]
    conjunction: str = "and"

    def say(self, voice: Voice) -> str:
        """In English, whatever the voice."""
        *first, last = [term.forms[DOMINANT] for term in self.terms]
        heading = f"{self.heading}: " if self.heading else ""
        if self.conjunction == "not":
            return heading + ", ".join(f"not {word}" for word in [*first, last]) + "."
        comma = "," if len(first) > 1 else ""
        return f"{heading}{', '.join(first)}{comma} {self.conjunction} {last}."


@dataclass(frozen=True)
class Calls:
    """Sentences with one verb and the same parts, so that one function can be called for each.

    Args:
        sentences: What is said.
        keyword: Whether the function takes its arguments by keyword alone.
    """

    sentences: tuple[Sentence, ...]
    keyword: bool = False

    def say(self, voice: Voice) -> str:
        """The sentences, one after the other."""
        return " ".join(sentence.say(voice) for sentence in self.sentences)


@dataclass(frozen=True)
class Count:
    """``start two, end six: two, three, four, five.``; where it starts at zero, need not be said.

    Args:
        start: The first number.
        end: The first number that is not counted any more.
        told: Whether the start is said, though it be zero.
        counted: Whether the numbers are said as well.
    """

    start: int
    end: int
    told: bool = True
    counted: bool = False

    @property
    def key(self) -> str:
        """What is held out, or not."""
        return f"range.{self.start}.{self.end}"

    @property
    def bounds(self) -> tuple[int, ...]:
        """What is said of start and end."""
        return (self.start, self.end) if self.told or self.start else (self.end,)

    def say(self, voice: Voice) -> str:
        """In English, whatever the voice."""
        *start, end = [number_term(number).forms[DOMINANT] for number in self.bounds]
        said = "".join(f"start {number}, " for number in start) + f"end {end}"
        numbers = range(self.start, self.end) if self.counted else ()
        counted = ", ".join(number_term(number).forms[DOMINANT] for number in numbers)
        return f"{said}: {counted}." if counted else f"{said}."


@dataclass(frozen=True)
class Happening:
    """Who did what to whom, and perhaps a question about it, answered by a name.

    Args:
        event: What happened.
        asked: The role that is asked for; None for no question.
        labelled: Whether the question is the role's own name: ``agent : Anna .``
    """

    event: Event
    asked: Role | None = None
    labelled: bool = False

    def say(self, voice: Voice) -> str:
        """In English; in a voice that switches, with the roles' names before all who take part."""
        said = self.event.annotated() if voice.switch else self.event.sentence
        return f"{self.question()} {self.event.names[self.asked]} ." if self.asked else said

    def question(self) -> str:
        """The sentence and the question, without the answer."""
        asked = self.asked or ROLES[0]
        question = f"{asked} :" if self.labelled else self.event.question(asked)
        return f"{self.event.sentence} {question}"


def say_in(meaning: Meaning, voice: Voice) -> str:
    """The text of a meaning in the language of a voice, formal ones included.

    Raises:
        SemanticHubError: A meaning that has no program or no form.

    Example:
        >>> print(say_in(Count(2, 6), Voice("python")))
        for i in range(2, 6): print(i)
    """
    if voice.language == PYTHON:
        return program(meaning)
    if voice.language == LOGIC and isinstance(meaning, Happening) and not voice.switch:
        return meaning.event.logical_form
    return meaning.say(voice)


@singledispatch
def program(meaning: object) -> str:
    """The Python of a meaning: a `Listing`, `Calls`, a `Count`, a `Sum`, a `Fact` or a `Card`.

    Raises:
        SemanticHubError: Any other meaning.

    Example:
        >>> print(program(Sum(3, "+", 5)))
        assert 8 == 3 + 5
    """
    raise SemanticHubError(
        "program",
        got=f"a {type(meaning).__name__}",
        expected="a Listing, Calls, a Count, a Sum, a Fact or a Card",
        fix="Say it in another language.",
    )


@program.register
def _(meaning: Listing) -> str:
    words = [_string(term) for term in meaning.terms]
    given = f"{meaning.heading} = " if meaning.heading else ""
    if meaning.conjunction == "and":
        return f"{given}[{', '.join(words)}]"
    if meaning.conjunction == "or":
        return given + " or ".join(words)
    return given + " and ".join(f"not {word}" for word in words)


@program.register
def _(meaning: Calls) -> str:
    name = meaning.sentences[0].what.forms[DOMINANT]
    parameters = [kind for kind, _ in _arguments(meaning.sentences[0])]
    taken = ["*", *parameters] if meaning.keyword else parameters
    calls = [f"{name}({_passed(_arguments(s), meaning.keyword)})" for s in meaning.sentences]
    return "\n".join([f"def {name}({', '.join(taken)}): pass", *calls])


@program.register
def _(meaning: Count) -> str:
    return f"for i in range({', '.join(map(str, meaning.bounds))}): print(i)"


@program.register
def _(meaning: Sum) -> str:
    terms = f"{meaning.left} {meaning.operator} {meaning.right}"
    sides = (meaning.result, terms) if meaning.result_first else (terms, meaning.result)
    return f"assert {sides[0]} == {sides[1]}"


@program.register
def _(meaning: Fact) -> str:
    attribute = _ENGLISH.grammar.attributes[meaning.attribute]
    return f"{attribute}[{_string(meaning.subject)}] = {_string(meaning.value)}"


@program.register
def _(meaning: Card) -> str:
    return "\n".join(map(program, meaning.facts))


def _string(term: Term) -> str:
    return f'"{term.forms[DOMINANT]}"'


def _arguments(sentence: Sentence) -> list[tuple[str, str]]:
    """Parameter and argument: what kind of thing takes part, and which."""
    day = None if sentence.when is None else _ENGLISH.grammar.days[sentence.when].split()[-1]
    told = [
        ("person", _string(sentence.who)),
        (sentence.whom.kind, _string(sentence.whom)),
        ("place", _string(sentence.where) if sentence.where else ""),
        ("day", f'"{day}"' if day else ""),
    ]
    return [(kind, argument) for kind, argument in told if argument]


def _passed(arguments: Sequence[tuple[str, str]], keyword: bool) -> str:
    return ", ".join(f"{kind}={value}" if keyword else value for kind, value in arguments)

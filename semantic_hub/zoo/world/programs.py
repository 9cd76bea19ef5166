"""Programs and logical forms of meanings of hub-mini's world.

`say_in` says a meaning in a natural language, in digits, in Python or in logic. The names in a
program (of parameters and lists) and the roles in a form are English words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.semantics.grammar import ROLES, Event, Role
from semantic_hub.zoo.world.grammar import DOMINANT, Voice
from semantic_hub.zoo.world.meanings import Card, Fact, Meaning, Sentence, Sum, Term, number_term

PYTHON, LOGIC = "python", "logic"
"""Names of the formal languages."""

_ENGLISH = Voice(DOMINANT)


@dataclass(frozen=True)
class Listing:
    """List such as ``animal: dog, cat, and horse.``, with or without its heading.

    Args:
        heading: Kind of all of them, an English word; empty to leave it out.
        terms: The listed things.
        conjunction: ``"and"``, ``"or"``, or ``"not"``, which denies each.
    """

    heading: str
    terms: tuple[Term, ...]
    conjunction: str = "and"

    def say(self, voice: Voice) -> str:
        """English text, whatever the voice's language."""
        *first, last = [term.forms[DOMINANT] for term in self.terms]
        heading = f"{self.heading}: " if self.heading else ""
        if self.conjunction == "not":
            return heading + ", ".join(f"not {word}" for word in [*first, last]) + "."
        comma = "," if len(first) > 1 else ""
        return f"{heading}{', '.join(first)}{comma} {self.conjunction} {last}."


@dataclass(frozen=True)
class Calls:
    """Sentences with the same verb and parts, which a program writes as calls of one function.

    Args:
        sentences: The sentences.
        keyword: Whether the function takes its arguments by keyword only.
    """

    sentences: tuple[Sentence, ...]
    keyword: bool = False

    def say(self, voice: Voice) -> str:
        """Text of the sentences, one after the other."""
        return " ".join(sentence.say(voice) for sentence in self.sentences)


@dataclass(frozen=True)
class Count:
    """Count such as ``start two, end six: two, three, four, five.``

    Args:
        start: First number.
        end: First number after the count.
        with_start: Whether to write the start even if it is 0.
        counted: Whether to write the numbers as well.
    """

    start: int
    end: int
    with_start: bool = True
    counted: bool = False

    @property
    def key(self) -> str:
        """Key by which counts are held out."""
        return f"range.{self.start}.{self.end}"

    @property
    def bounds(self) -> tuple[int, ...]:
        """Start and end as written."""
        return (self.start, self.end) if self.with_start or self.start else (self.end,)

    def say(self, voice: Voice) -> str:
        """English text, whatever the voice's language."""
        *start, end = [number_term(number).forms[DOMINANT] for number in self.bounds]
        bounds = "".join(f"start {number}, " for number in start) + f"end {end}"
        numbers = range(self.start, self.end) if self.counted else ()
        counted = ", ".join(number_term(number).forms[DOMINANT] for number in numbers)
        return f"{bounds}: {counted}." if counted else f"{bounds}."


@dataclass(frozen=True)
class Happening:
    """Event, optionally with a question about it that a name answers.

    Args:
        event: The event.
        asked: Role that the question asks for; None for no question.
        labeled: Whether the question is the name of the role: ``agent : Anna .``
    """

    event: Event
    asked: Role | None = None
    labeled: bool = False

    def say(self, voice: Voice) -> str:
        """English text; if the voice switches languages, with the role before each participant."""
        text = self.event.annotated() if voice.switch else self.event.sentence
        return f"{self.question()} {self.event.names[self.asked]} ." if self.asked else text

    def question(self) -> str:
        """Sentence and question, without the answer."""
        asked = self.asked or ROLES[0]
        question = f"{asked} :" if self.labeled else self.event.question(asked)
        return f"{self.event.sentence} {question}"


def say_in(meaning: Meaning, voice: Voice) -> str:
    """Write a meaning in a voice's language, which may be Python or logical form.

    Raises:
        SemanticHubError: A meaning that has no program.

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
    """Python program of a `Listing`, `Calls`, a `Count`, a `Sum`, a `Fact` or a `Card`.

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
    target = f"{meaning.heading} = " if meaning.heading else ""
    if meaning.conjunction == "and":
        return f"{target}[{', '.join(words)}]"
    if meaning.conjunction == "or":
        return target + " or ".join(words)
    return target + " and ".join(f"not {word}" for word in words)


@program.register
def _(meaning: Calls) -> str:
    name = meaning.sentences[0].what.forms[DOMINANT]
    parameters = [kind for kind, _ in _arguments(meaning.sentences[0])]
    signature = ["*", *parameters] if meaning.keyword else parameters
    calls = [
        f"{name}({_call_arguments(_arguments(s), meaning.keyword)})" for s in meaning.sentences
    ]
    return "\n".join([f"def {name}({', '.join(signature)}): pass", *calls])


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
    """Python string with the English name of a term."""
    return f'"{term.forms[DOMINANT]}"'


def _arguments(sentence: Sentence) -> list[tuple[str, str]]:
    """Parameters and arguments of a sentence's call: the kind of each participant, and which."""
    day = None if sentence.when is None else _ENGLISH.grammar.days[sentence.when].split()[-1]
    participants = [
        ("person", _string(sentence.who)),
        (sentence.whom.kind, _string(sentence.whom)),
        ("place", _string(sentence.where) if sentence.where else ""),
        ("day", f'"{day}"' if day else ""),
    ]
    return [(kind, argument) for kind, argument in participants if argument]


def _call_arguments(arguments: Sequence[tuple[str, str]], keyword: bool) -> str:
    """Arguments of a call as text."""
    return ", ".join(f"{kind}={value}" if keyword else value for kind, value in arguments)

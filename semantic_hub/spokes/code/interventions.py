"""Steering of a call's arguments, and parsing of the arguments that a model writes."""

import ast
import re
from collections.abc import Iterator, Sequence

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.spec import Steering, UnembeddingContrast
from semantic_hub.interventions.steering.outcomes import Outcome, RelativeOutcome
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.spokes.code.places import calls, is_builtin
from semantic_hub.spokes.code.programs import Program
from semantic_hub.spokes.code.spans import Spans
from semantic_hub.spokes.sampling import evenly_spaced

STRENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Strengths, in lengths of the prompts' states."""

NOT_ONE_ARGUMENT = "own continuation is not one argument"
"""Reason to drop a prompt whose unsteered continuation has not exactly one argument."""

_LEXEME = re.compile(
    r"""
    (?P<blank>   (?: \s | \\\r?\n | \#[^\r\n]* )+ )
  | (?P<string>  [A-Za-z]{0,2} (?: \"{3} (?:\\.|[^\\])*? \"{3} | '{3} (?:\\.|[^\\])*? '{3}
                                 | \" (?:\\(?:\r\n|.)|[^"\\\r\n])* \"
                                 | ' (?:\\(?:\r\n|.)|[^'\\\r\n])* ' ) )
  | (?P<word>    \w+ )
  | (?P<mark>    . )
    """,
    re.VERBOSE | re.DOTALL,
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}


def written_arguments(text: str) -> tuple[str, ...] | None:
    """Parse the arguments of a call from the text after its ``(``.

    Parsing ends at the ``)`` that closes the call. Brackets, strings of all kinds, comments and
    continued lines are recognized; the text need not be valid Python otherwise.

    Args:
        text: Text after the opening bracket, of any length.

    Returns:
        Arguments, with single spaces between their words, strings and marks; None if the call is
        not closed, brackets do not match, a string does not end or an argument is missing.

    Example:
        >>> written_arguments("0, len(x)):\\n    print(x)"), written_arguments("len(x")
        (('0', 'len ( x )'), None)
        >>> written_arguments("'),' , f(a, b),)"), written_arguments(")")
        (("'),'", 'f ( a , b )'), ())
    """
    arguments: list[list[str]] = [[]]
    open_brackets = []
    for lexeme in _lexemes(text):
        if lexeme == ")" and not open_brackets:
            return _joined(arguments)
        if lexeme in _CLOSING:
            open_brackets.append(_CLOSING[lexeme])
        elif lexeme in _CLOSING.values() and (not open_brackets or open_brackets.pop() != lexeme):
            return None
        if lexeme in ("'", '"'):
            return None
        if lexeme == "," and not open_brackets:
            arguments.append([])
        else:
            arguments[-1].append(lexeme)
    return None


def steering(programs: Sequence[Program], *, at_most: int = 100) -> Steering:
    """Steering at ``range(`` by ``U["start"] − U["end"]``, to turn its argument n into 0, n.

    Args:
        programs: Programs; each call of the builtin ``range`` with one argument is used.
        at_most: Prompts to keep, evenly spaced.

    Raises:
        SemanticHubError: No such call.

    Example:
        >>> steering([Program("for i in range(9): print(i)")]).prompts[0].text
        'for i in range('
    """
    prompts = [Prompt(p.code[:place]) for p in programs for place in range_places(p)]
    if not prompts:
        raise SemanticHubError(
            "code.steering",
            got=f"{len(programs)} programs without range(n)",
            expected="a call of range with one argument",
            fix="Pass programs that count.",
        )
    return Steering(
        prompts=evenly_spaced(list(dict.fromkeys(prompts)), at_most),
        contrasts={"start - end": UnembeddingContrast("start", "end")},
        outcome=RelativeOutcome(starts_at_zero, has_one_argument, NOT_ONE_ARGUMENT),
        strengths=STRENGTHS,
        max_new_tokens=16,
    )


def starts_at_zero(own: str, steered: str) -> Outcome:
    """Compare continuations of ``range(``: success if steering turned the argument n into 0, n.

    Args:
        own: Unsteered continuation after ``range(``: n and what follows.
        steered: Steered continuation.

    Example:
        >>> [starts_at_zero("n):", steered) for steered in ("0, n):", " n ):", "1, n):", "0, n")]
        ['success', 'unchanged', 'other', 'other']
    """
    before, after = written_arguments(own), written_arguments(steered)
    if before is None or after is None:
        return "other"
    outcomes: dict[tuple[str, ...], Outcome] = {("0", *before): "success", before: "unchanged"}
    return outcomes.get(after, "other")


def has_one_argument(own: str) -> bool:
    """Whether a continuation closes the call after exactly one argument.

    Example:
        >>> [has_one_argument(own) for own in ("n):", "0, n):", "):", "len(x")]
        [True, False, False, False]
    """
    return len(written_arguments(own) or ()) == 1


def range_places(program: Program) -> Iterator[int]:
    """Indices right after the ``(`` of each call of the builtin ``range`` with one argument.

    Example:
        >>> list(range_places(Program("range(3), range(1, 2), range(*x)")))
        [6]
    """
    spans = Spans(program.code)
    for call, names in calls(program):
        match call:
            case ast.Call(func=ast.Name(id="range"), args=[argument], keywords=[]):
                if is_builtin("range", names) and not isinstance(argument, ast.Starred):
                    yield spans.after("(", spans.end(call.func))


def _lexemes(text: str) -> Iterator[str]:
    """Words, strings and marks of a text."""
    for lexeme in _LEXEME.finditer(text):
        if lexeme.lastgroup != "blank":
            yield lexeme[0]


def _joined(arguments: list[list[str]]) -> tuple[str, ...] | None:
    """Text of each argument, with one trailing comma allowed; None if one is missing."""
    written = arguments[:-1] if not arguments[-1] else arguments
    return tuple(" ".join(lexemes) for lexemes in written) if all(written) else None

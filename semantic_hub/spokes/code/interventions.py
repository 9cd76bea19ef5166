"""The arguments of a call as a model goes on to write them."""

import re
from collections.abc import Iterator

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
    """The arguments of a call from what stands behind its ``(``.

    Reads up to the ``)`` that closes the call. Brackets, strings of all kinds, comments and lines
    that are continued are told apart; what is read need not be valid beyond that.

    Args:
        text: The text behind the opening bracket, of any length.

    Returns:
        The arguments, their words, strings and marks with one space between each two; None where
        the call is not closed, brackets do not match, a string does not end or an argument is
        missing.

    Example:
        >>> written_arguments("0, len(x)):\\n    print(x)"), written_arguments("len(x")
        (('0', 'len ( x )'), None)
        >>> written_arguments("'),' , f(a, b),)"), written_arguments(")")
        (("'),'", 'f ( a , b )'), ())
    """
    found: list[list[str]] = [[]]
    open_brackets = []
    for lexeme in _lexemes(text):
        if lexeme == ")" and not open_brackets:
            return _closed(found)
        if lexeme in _CLOSING:
            open_brackets.append(_CLOSING[lexeme])
        elif lexeme in _CLOSING.values() and (not open_brackets or open_brackets.pop() != lexeme):
            return None
        if lexeme in ("'", '"'):
            return None
        if lexeme == "," and not open_brackets:
            found.append([])
        else:
            found[-1].append(lexeme)
    return None


def _lexemes(text: str) -> Iterator[str]:
    for lexeme in _LEXEME.finditer(text):
        if lexeme.lastgroup != "blank":
            yield lexeme[0]


def _closed(found: list[list[str]]) -> tuple[str, ...] | None:
    """All arguments, one comma at the end allowed behind the last."""
    written = found[:-1] if not found[-1] else found
    return tuple(" ".join(lexemes) for lexemes in written) if all(written) else None

"""Sums and products, written in digits or in the words of a language.

The problems are the 846 sums and 277 products of Wu et al. 2025, arXiv 2411.04986.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from semantic_hub.errors import SemanticHubError
from semantic_hub.plotting.values import short_repr
from semantic_hub.spokes.lexicon.languages import is_unspaced
from semantic_hub.spokes.lexicon.numbers import DIGITS, number_word

OPERATIONS: Mapping[str, Mapping[str, str]] = {
    "en": {"=": "equals", "+": "plus", "*": "times"},
    "es": {"=": "es igual a", "+": "más", "*": "por"},
    "fr": {"=": "égale", "+": "plus", "*": "fois"},
    "de": {"=": "gleich", "+": "plus", "*": "mal"},
    "it": {"=": "uguale", "+": "più", "*": "per"},
    "pt": {"=": "é igual a", "+": "mais", "*": "vezes"},
    "nl": {"=": "is gelijk aan", "+": "plus", "*": "keer"},
    "pl": {"=": "równa się", "+": "plus", "*": "razy"},
    "ru": {"=": "равно", "+": "плюс", "*": "умножить на"},
    "uk": {"=": "дорівнює", "+": "плюс", "*": "помножити на"},
    "zh": {"=": "等于", "+": "加", "*": "乘以"},
}
"""Words of a language for the signs; other languages keep the signs."""


_MINUS: Mapping[str, str] = {
    "en": "minus", "es": "menos", "fr": "moins", "de": "minus", "it": "meno", "pt": "menos",
    "nl": "min", "pl": "minus", "ru": "минус", "uk": "мінус", "zh": "减",
}  # fmt: skip
"""Words for the sign of `Problem.difference`."""


@dataclass(frozen=True)
class Problem:
    """One sum a + b or product a * b.

    Attributes:
        left: The first operand a.
        operator: ``"+"`` or ``"*"``.
        right: The second operand b.
    """

    left: int
    operator: str
    right: int
    __repr__ = short_repr

    @property
    def result(self) -> int:
        """Result c = a + b or c = a * b."""
        return self.left + self.right if self.operator == "+" else self.left * self.right

    def expression(self, notation: str) -> str:
        """Write ``a+b`` in digits or in the words of a language.

        Example:
            >>> [Problem(7, "+", 8).expression(notation) for notation in ("digits", "en", "zh")]
            ['7+8', 'seven plus eight', '七加八']
        """
        return _written(notation, self.left, self.operator, self.right)

    def question(self, notation: str) -> str:
        """Write ``c=a+``, which only b completes.

        Example:
            >>> [Problem(7, "+", 8).question(notation) for notation in ("digits", "en", "zh")]
            ['15=7+', 'fifteen equals seven plus', '十五等于七加']
        """
        return _written(notation, self.result, "=", self.left, self.operator)

    def difference(self, notation: str) -> str:
        """Write ``c-a=`` of a sum, which b completes.

        Example:
            >>> [Problem(7, "+", 8).difference(notation) for notation in ("digits", "en", "zh")]
            ['15-7=', 'fifteen minus seven equals', '十五减七等于']
        """
        return _written(notation, self.result, "-", self.left, "=")


def problems(
    operators: str = "+*", *, largest_right: int = 9, result_below: int = 100
) -> tuple[Problem, ...]:
    """List all a+b and a*b with a ≥ 1, 1 ≤ b ≤ `largest_right`, and a result below `result_below`.

    Raises:
        SemanticHubError: An operator other than ``+`` and ``*``, or bounds that leave nothing.

    Example:
        >>> len(problems("+")), len(problems("*"))
        (846, 277)
    """
    selected = tuple(
        Problem(left, operator, right)
        for operator in operators
        for right in range(1, largest_right + 1)
        for left in range(1, result_below)
        if operator in "+*" and Problem(left, operator, right).result < result_below
    )
    if not selected or set(operators) - set("+*"):
        raise SemanticHubError(
            "problems",
            got=f"operators {operators!r}, largest_right {largest_right}, "
            f"result_below {result_below}",
            expected="operators from '+*' and bounds that leave a problem",
            fix="Use the defaults.",
        )
    return selected


def _written(notation: str, *parts: int | str) -> str:
    """Numbers and signs one after the other in a notation, with its spaces."""
    language = notation.partition("_")[0]
    signs = {"-": _MINUS.get(language, "-"), **OPERATIONS.get(language, {})}
    words = [
        number_word(part, notation) if isinstance(part, int) else signs.get(part, part)
        for part in parts
    ]
    unspaced = notation == DIGITS or is_unspaced(notation)
    return ("" if unspaced else " ").join(words)

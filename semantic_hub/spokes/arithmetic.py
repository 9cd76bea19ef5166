"""The arithmetic spoke: ``a+b`` and ``a*b`` in figures, and the same in the words of a language.

Similarity pairs an expression in figures with the same in words. The lens reads at ``c=a+``, where
the next token in figures is the digit b, and asks for the word for b. Source: Wu et al. 2025,
arXiv 2411.04986, section 4 (arithmetic); the problems are the 846 sums and 277 products of the
paper's code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from semantic_hub.errors import SemanticHubError
from semantic_hub.pairs import Pairs
from semantic_hub.prompts import Prompt, Readout
from semantic_hub.spokes.language_codes import check_languages, control_for, is_unspaced
from semantic_hub.spokes.numbers import DIGITS, number_word

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
"""How a language says the signs; a language that is not listed writes them as signs."""


@dataclass(frozen=True)
class Problem:
    """One sum or product.

    Attributes:
        left: The first operand a.
        operator: ``"+"`` or ``"*"``.
        right: The second operand b.
    """

    left: int
    operator: str
    right: int

    @property
    def result(self) -> int:
        """The number c on the other side of the equals sign."""
        return self.left + self.right if self.operator == "+" else self.left * self.right

    def expression(self, notation: str) -> str:
        """``a+b`` in figures, or in the words of a language.

        Example:
            >>> [Problem(7, "+", 8).expression(notation) for notation in ("digits", "en", "zh")]
            ['7+8', 'seven plus eight', '七加八']
        """
        return _written(notation, self.left, self.operator, self.right)

    def question(self, notation: str) -> str:
        """``c=a+``, which only b completes.

        Example:
            >>> [Problem(7, "+", 8).question(notation) for notation in ("digits", "en", "zh")]
            ['15=7+', 'fifteen equals seven plus', '十五等于七加']
        """
        return _written(notation, self.result, "=", self.left, self.operator)


def problems(
    operators: str = "+*", *, largest_right: int = 9, result_below: int = 100
) -> tuple[Problem, ...]:
    """Every a+b and a*b with b in 1..largest_right and a result below a bound, a from 1.

    Raises:
        SemanticHubError: An operator other than ``+`` and ``*``, or bounds that leave nothing.

    Example:
        >>> len(problems("+")), len(problems("*"))
        (846, 277)
    """
    found = tuple(
        Problem(left, operator, right)
        for operator in operators
        for right in range(1, largest_right + 1)
        for left in range(1, result_below)
        if operator in "+*" and Problem(left, operator, right).result < result_below
    )
    if not found or set(operators) - set("+*"):
        raise SemanticHubError(
            "problems",
            got=f"operators {operators!r}, largest_right {largest_right}, "
            f"result_below {result_below}",
            expected="operators from '+*' and bounds that leave a problem",
            fix="Use the defaults.",
        )
    return found


def pairs(
    y: str = "en", x: str = DIGITS, items: Sequence[Problem] | None = None, *, ask: bool = False
) -> Pairs:
    """The same problem in two notations, matched by its operands.

    Args:
        y: A language, or ``"digits"``.
        x: The other notation.
        items: Which problems; None for all 1,123.
        ask: Pair the questions ``c=a+`` instead of the expressions ``a+b``.

    Example:
        >>> pairs("en")[:1].x[0].text, pairs("en")[:1].y[0].text
        ('1+1', 'one plus one')
    """
    chosen = problems() if items is None else items
    form = Problem.question if ask else Problem.expression
    return Pairs.from_prompts(
        [form(item, x) for item in chosen],
        [form(item, y) for item in chosen],
        x_name=x,
        y_name=y,
        labels=[item.expression(DIGITS) for item in chosen],
    )


def readouts(
    notation: str = DIGITS,
    *,
    words: str = "en",
    control: str = "es",
    items: Sequence[Problem] | None = None,
) -> list[Readout]:
    """Read-outs at ``c=a+`` with four groups of candidates.

    ``surface`` is b as the notation writes it, ``hub`` b in `words`, ``control`` b in a third
    language, and ``unrelated`` another number in `words`, so that a taste for that language alone
    does not count as meaning.

    Args:
        notation: What the prompt is written in: ``"digits"`` or a language.
        words: The dominant language.
        control: Another language, neither that of the prompt nor the dominant one.
        items: Which problems; None for all 1,123.

    Raises:
        SemanticHubError: Two of the three notations are the same.

    Example:
        >>> readouts(items=problems("+")[:1])[0].candidates["hub"]
        ('one',)
    """
    if len({notation, words, control}) < 3:
        raise SemanticHubError(
            "arithmetic.readouts",
            got=f"notation {notation!r}, words {words!r}, control {control!r}",
            expected="three that differ",
            fix="Choose another control.",
        )
    return [
        Readout(
            Prompt(item.question(notation)),
            {
                "surface": (number_word(item.right, notation),),
                "hub": (number_word(item.right, words),),
                "control": (number_word(item.right, control),),
                "unrelated": (number_word(item.right % 9 + 1, words),),
            },
        )
        for item in (problems() if items is None else items)
    ]


@dataclass(frozen=True)
class ArithmeticSpoke:
    """Arithmetic for `semantic_hub.run`: figures and languages against the dominant one.

    Args:
        dominant: The language whose words the hub is read in.
        languages: Further languages to write the problems in.
        items: Which problems; None for all 1,123.

    Raises:
        SemanticHubError: Fewer than two further languages, or the dominant one among them.
    """

    dominant: str = "en"
    languages: tuple[str, ...] = ("es", "fr")
    items: tuple[Problem, ...] | None = None
    name: str = "arithmetic"

    def __post_init__(self) -> None:
        check_languages("ArithmeticSpoke", self.dominant, self.languages)

    def pairs(self) -> Mapping[str, Pairs]:
        """Expressions (as in the paper) and questions, each against the dominant language."""
        others = (DIGITS, *self.languages)
        return {
            f"{form}, {other}": pairs(self.dominant, other, self.items, ask=ask)
            for form, ask in (("a+b", False), ("c=a+", True))
            for other in others
        }

    def readouts(self) -> Mapping[str, Sequence[Readout]]:
        """At ``c=a+``, in figures and in each language; the control is another one of these."""
        return {
            f"c=a+, {other}": readouts(
                other,
                words=self.dominant,
                control=control_for(other, self.languages),
                items=self.items,
            )
            for other in (DIGITS, *self.languages)
        }


def _written(notation: str, *parts: int | str) -> str:
    said = [number_word(p, notation) if isinstance(p, int) else _sign(p, notation) for p in parts]
    unspaced = notation == DIGITS or is_unspaced(notation)
    return ("" if unspaced else " ").join(said)


def _sign(sign: str, notation: str) -> str:
    return OPERATIONS.get(notation.partition("_")[0], {}).get(sign, sign)

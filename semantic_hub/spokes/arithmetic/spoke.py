"""`ArithmeticSpoke`: named sets of everything that the arithmetic data offer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from semantic_hub.errors import SemanticHubError, set_tuples
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.interventions.spec import Patching, Steering
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import HUB, SURFACE, Prompt, Readout
from semantic_hub.spokes.arithmetic.interventions import (
    prompt_forms,
    steering,
    sums,
)
from semantic_hub.spokes.arithmetic.items import Problem, problems
from semantic_hub.spokes.lexicon.concepts import digit_concepts
from semantic_hub.spokes.lexicon.languages import check_languages, control_for
from semantic_hub.spokes.lexicon.numbers import DIGITS, number_word
from semantic_hub.spokes.routes import Route, averaged_routes, patchings_in_forms, ring_routes


def pairs(
    y: str = "en", x: str = DIGITS, items: Sequence[Problem] | None = None, *, ask: bool = False
) -> Pairs:
    """Pair problems in two notations.

    Args:
        y: A language, or ``"digits"``.
        x: The other notation.
        items: Problems; None for all 1,123.
        ask: Whether to pair the questions ``c=a+`` instead of the expressions ``a+b``.

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


def hard_negatives(
    y: str = "en", x: str = DIGITS, items: Sequence[Problem] | None = None, *, ask: bool = False
) -> Pairs:
    """Pair problems with one of another left operand in y: one more, or one less if c > 99.

    Args:
        y: A language, or ``"digits"``.
        x: The other notation.
        items: Problems; None for all 1,123.
        ask: Whether to pair the questions ``c=a+`` instead of the expressions ``a+b``.

    Example:
        >>> near = hard_negatives("en", items=[Problem(3, "+", 5)], ask=True)
        >>> near.x[0].text, near.y[0].text
        ('8=3+', 'nine equals four plus')
    """
    chosen = problems() if items is None else items
    near = pairs(y, x, [_one_off(item) for item in chosen], ask=ask)
    return replace(pairs(y, x, chosen, ask=ask), y=near.y)


def readouts(
    notation: str = DIGITS,
    *,
    words: str = "en",
    control: str = "es",
    items: Sequence[Problem] | None = None,
) -> list[Readout]:
    """Make read-outs at ``c=a+`` that score b in three notations, and an unrelated number.

    ``surface`` is b in the notation, ``hub`` b in `words`, ``control`` b in a third language, and
    ``unrelated`` another number in `words`, so that a general preference for that language does not
    count as meaning.

    Args:
        notation: Notation of the prompt: ``"digits"`` or a language.
        words: Dominant language.
        control: Another language, neither that of the prompt nor the dominant one.
        items: Problems; None for all 1,123.

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
                SURFACE: (number_word(item.right, notation),),
                HUB: (number_word(item.right, words),),
                "control": (number_word(item.right, control),),
                "unrelated": (number_word(item.right % 9 + 1, words),),
            },
        )
        for item in (problems() if items is None else items)
    ]


@dataclass(frozen=True)
class ArithmeticSpoke(Spoke):
    """Arithmetic spoke: digits and languages against the dominant language.

    Args:
        dominant: Language in which the hub is expected.
        languages: Other languages to write the problems in.
        items: Problems; None for all 1,123.
        at_most: Problems in each set of interventions, evenly spaced: each is run at every layer.
        name: Name of the spoke in results.

    Raises:
        SemanticHubError: Fewer than two further languages, or the dominant one among them.
    """

    dominant: str = "en"
    languages: tuple[str, ...] = ("es", "fr")
    items: tuple[Problem, ...] | None = None
    at_most: int = 100
    name: str = "arithmetic"

    def __post_init__(self) -> None:
        set_tuples(self, languages=str)
        check_languages("ArithmeticSpoke", self.dominant, self.languages)

    def pairs(self) -> Mapping[str, Pairs]:
        """Expressions (as in the paper) and questions, each against the dominant language."""
        return self._sets(pairs)

    def hard_negatives(self) -> Mapping[str, Pairs]:
        """Problems against those with another left operand, for each set of pairs."""
        return self._sets(hard_negatives)

    def readouts(self) -> Mapping[str, Sequence[Readout]]:
        """Read-outs at ``c=a+``, in digits and in each language."""
        return {
            f"c=a+, {other}": readouts(
                other,
                words=self.dominant,
                control=control_for(other, self.languages),
                items=self.items,
            )
            for other in (DIGITS, *self.languages)
        }

    def interventions(self) -> Mapping[str, Patching | Steering]:
        """Steering of sums in digits, and patching of b between notations.

        Patching is from each language into the next, between digits and the dominant language, and
        from all other notations at once, in the wording that the model answers best on other sums
        (`semantic_hub.spokes.arithmetic.interventions.prompt_forms`). Empty unless two sums have
        different b.
        """
        if len({item.right for item in sums(self.items)}) < 2:
            return {}
        notations = (DIGITS, self.dominant, *self.languages)
        routes = [
            *ring_routes(self.languages),
            Route((self.dominant,), DIGITS),
            Route((DIGITS,), self.dominant),
            *averaged_routes((DIGITS, *self.languages), notations),
        ]
        forms = {
            f"sum {route.name}": prompt_forms(
                route.sources, route.base, self.items, at_most=self.at_most
            )
            for route in routes
        }
        steered = steering(self.items, words=self.dominant, at_most=self.at_most)
        return {f"c=a+, {DIGITS}": steered, **patchings_in_forms(forms)}

    def concepts(self) -> Mapping[str, Mapping[str, Prompt]]:
        """The numbers up to twenty in digits, for comparison with other spokes."""
        return digit_concepts()

    def _sets(self, make: Callable[..., Pairs]) -> Mapping[str, Pairs]:
        """Sets of pairs of expressions and of questions, for each notation."""
        return {
            f"{form}, {other}": make(self.dominant, other, self.items, ask=ask)
            for form, ask in (("a+b", False), ("c=a+", True))
            for other in (DIGITS, *self.languages)
        }


def _one_off(item: Problem) -> Problem:
    """Problem with another left operand."""
    more = replace(item, left=item.left + 1)
    return more if more.result < 100 or item.left == 0 else replace(item, left=item.left - 1)

"""Interventions at ``c=a+``, where only b completes the sum.

Steering: the difference of ``c=(a+1)+`` and ``c=a+`` is a step that makes b one less; it is taken
from the words of the dominant language and added to the sum in digits. Patching: the b of one sum
is moved into another sum in another notation. Source of the steering: Wu et al. 2025, arXiv
2411.04986, section 5 (arithmetic).
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from semantic_hub.errors import SemanticHubError, as_list
from semantic_hub.interventions.patching.pairs import PatchPair
from semantic_hub.interventions.spec import ActivationContrast, PromptForm, Steering
from semantic_hub.interventions.steering.outcomes import ExpectedAnswer
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.spokes.arithmetic.items import Problem, problems
from semantic_hub.spokes.lexicon.languages import is_unspaced
from semantic_hub.spokes.lexicon.numbers import DIGITS, number_word
from semantic_hub.spokes.routes import make_forms, make_pairs
from semantic_hub.spokes.sampling import evenly_spaced


def one_less(right: Sequence[int]) -> ExpectedAnswer:
    """Make an outcome rule for sums: success for b − 1, unchanged for b, other for anything else.

    The whole number at the start of a text counts: ``"12"`` is twelve, and ``"7.5"`` is neither
    seven nor five.

    Args:
        right: The b of each prompt.

    Example:
        >>> outcome = one_less((8, 2))
        >>> outcome(0, "7."), outcome(0, " 8"), outcome(1, "12"), outcome(1, "two")
        ('success', 'unchanged', 'other', 'other')
    """
    return ExpectedAnswer(
        new=tuple(str(b - 1) for b in right), old=tuple(map(str, right)), parse=_leading_number
    )


def sums(items: Sequence[Problem] | None = None) -> tuple[Problem, ...]:
    """Keep only the sums of some problems; None gives all 846 sums."""
    chosen = problems("+") if items is None else items
    return tuple(item for item in chosen if item.operator == "+")


def steering(
    items: Sequence[Problem] | None = None, *, words: str = "en", at_most: int = 100
) -> Steering:
    """Steering of sums in digits by ``c=(a+1)+`` − ``c=a+``, which should lower the answer b by 1.

    The contrast ``"words"`` takes the step from the words of a language (``"fifteen equals eight
    plus"`` − ``"fifteen equals seven plus"`` for ``"15=7+"``), the contrast ``"digits"`` from
    digits (``"15=8+"`` − ``"15=7+"``). Two more tokens than b has digits are generated: a tokenizer
    may use one for a space, and the one after b shows whether the number continues.

    Args:
        items: Problems, of which sums with b of at least 2 are used; None for all.
        words: Dominant language.
        at_most: Problems to keep, evenly spaced.

    Raises:
        SemanticHubError: No sum with b of at least 2.

    Example:
        >>> steered = steering([Problem(7, "+", 8)])
        >>> steered.prompts[0].text, steered.contrasts["words"].plus[0].text
        ('15=7+', 'fifteen equals eight plus')
    """
    chosen = evenly_spaced([item for item in sums(items) if item.right > 1], at_most)
    if not chosen:
        raise SemanticHubError(
            "arithmetic.steering",
            got="no sum a+b with b of at least 2",
            expected="one or more, since b − 1 must be a number that the sums use",
            fix='Take them from problems("+").',
        )
    return Steering(
        prompts=_questions(chosen, DIGITS),
        contrasts={"words": _step(chosen, words), "digits": _step(chosen, DIGITS)},
        outcome=one_less([item.right for item in chosen]),
        max_new_tokens=2 + max(len(str(item.right)) for item in chosen),
    )


def patch_pairs(
    sources: str | Sequence[str],
    base: str,
    items: Sequence[Problem] | None = None,
    *,
    seed: int = 0,
    at_most: int = 100,
) -> tuple[PatchPair, ...]:
    """Patch pairs of two sums with different b in different notations.

    Answers are named as `semantic_hub.spokes.routes.ANSWERS`.

    Args:
        sources: Notation of the source, ``"digits"`` or a language; or several, which are averaged.
        base: Another notation.
        items: Problems, of which the sums are used; None for all 846.
        seed: Seed of the pairing.
        at_most: Patch pairs to keep, evenly spaced.

    Raises:
        SemanticHubError: No sources, the base among them, or an unknown language.

    Example:
        >>> pair = patch_pairs("es", "fr", [Problem(7, "+", 8), Problem(1, "+", 2)])[0]
        >>> pair.sources[0].text, pair.base.text
        ('quince es igual a siete más', 'trois égale un plus')
        >>> dict(pair.answers)
        {'source': ('huit',), 'base': ('deux',), "source's notation": ('ocho',)}
    """
    notations = tuple(as_list("patch_pairs", "sources", sources, str))
    return make_pairs(
        sums(items), notations, base, Problem.question, _answer, seed=seed, at_most=at_most
    )


def prompt_forms(
    sources: str | Sequence[str],
    base: str,
    items: Sequence[Problem] | None = None,
    *,
    seed: int = 0,
    at_most: int = 100,
) -> dict[str, PromptForm]:
    """The pairs of `patch_pairs` in three forms, with held-out sums in the base's notation.

    ``"sum"`` is ``15=7+``, ``"difference"`` is ``15-7=``, and ``"sum after examples"`` has five
    solved sums before it, one per line, of numbers from 100 on.

    Args:
        sources: As in `patch_pairs`, and so are the others.
        base: Another notation.
        items: Problems, of which the sums are used; None for all 846.
        seed: Seed of the pairing, and of the held-out sums.
        at_most: Patch pairs to keep, evenly spaced.

    Raises:
        SemanticHubError: As `patch_pairs`.

    Example:
        >>> forms = prompt_forms("es", "digits", [Problem(7, "+", 8), Problem(1, "+", 2)])
        >>> for form in forms.values():
        ...     print(repr(form.patch_pairs[0].reference.text))
        '15=7+'
        '15-7='
        '100=99+1\\n116=114+2\\n112=108+4\\n108=102+6\\n104=96+8\\n15=7+'
    """
    notations = tuple(as_list("patch_pairs", "sources", sources, str))
    asked = set(sums(items))
    large = [item for item in problems("+", result_below=120) if item.result >= 100]
    solved = evenly_spaced([item for item in large if item not in asked], 5)

    @cache
    def examples(notation: str) -> str:
        space = "" if notation == DIGITS or is_unspaced(notation) else " "
        return "".join(
            f"{one.question(notation)}{space}{_answer(one, notation)}\n" for one in solved
        )

    def after_examples(item: Problem, notation: str) -> str:
        return examples(notation) + item.question(notation)

    questions = {
        "sum": Problem.question,
        "difference": Problem.difference,
        "sum after examples": after_examples,
    }
    return make_forms(
        sums(items), notations, base, questions, _answer,
        others=problems("+"), seed=seed, at_most=at_most,
    )  # fmt: skip


def _questions(items: Sequence[Problem], notation: str) -> tuple[Prompt, ...]:
    """Prompts ``c=a+`` in a notation."""
    return tuple(Prompt(item.question(notation)) for item in items)


def _leading_number(text: str) -> str | None:
    """Whole number at the start of a text, without leading zeros."""
    match = re.match(r"\s*(\d+)(?!\.?\d)", text)
    return str(int(match[1])) if match else None


def _step(items: Sequence[Problem], notation: str) -> ActivationContrast:
    """Contrast of a + 1 and a with the same c."""
    stepped = [replace(item, left=item.left + 1, right=item.right - 1) for item in items]
    plus, minus = _questions(stepped, notation), _questions(items, notation)
    return ActivationContrast(plus, minus, paired=True)


def _answer(item: Problem, notation: str) -> str:
    """The number b in a notation."""
    return number_word(item.right, notation)

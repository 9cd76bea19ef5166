"""Steering by words: what of it is left where a tokenizer does not know every word whole."""

from collections.abc import Sequence
from dataclasses import replace

from semantic_hub.errors import NothingLeftError
from semantic_hub.interventions.spec import AgainstOwn, Contrast, EndsOf, Outcome, Steering, Words
from semantic_hub.interventions.steering.hook import is_span_of_each
from semantic_hub.models.loading import HookedModel
from semantic_hub.prompts.words import word_tokens

SPLIT = "a word of several tokens"
"""Under which prompts are counted that cannot be steered."""


def with_whole_words(model: HookedModel, steering: Steering) -> tuple[Steering, dict[str, int]]:
    """The prompts whose words are all one token each, and the number of the others.

    A direction ``U[plus] − U[minus]`` needs words that the unembedding has as one token.

    Args:
        model: A model with a tokenizer.
        steering: What to steer; without `Words` among its contrasts it stays as it is.

    Returns:
        The steering of the prompts that are left, and the number of the others under `SPLIT`.

    Raises:
        NothingLeftError: Not one prompt is left.

    Example:
        >>> words = Words(("dog", "hippopotamus"), "cat")
        >>> prompts = (sh.Prompt("a"), sh.Prompt("b"))
        >>> steering = Steering(prompts, {"pets": words}, lambda index, text: "other")
        >>> kept, dropped = with_whole_words(model, steering)
        >>> [prompt.text for prompt in kept.prompts], dropped
        (['a'], {'a word of several tokens': 1})
    """
    by_words = [c for c in steering.contrasts.values() if isinstance(c, Words)]
    if not by_words:
        return steering, {}
    n_prompts = len(steering.prompts)
    pairs = [contrast.of_each(n_prompts) for contrast in by_words]
    said = {word for of_each in pairs for pair in of_each for word in pair}
    whole = {word for word in said if word_tokens(model.tokenizer, word).whole}
    kept = [
        index
        for index in range(n_prompts)
        if all(whole.issuperset(of_each[index % len(of_each)]) for of_each in pairs)
    ]
    if not kept:
        raise NothingLeftError(
            "intervene",
            got=f"{n_prompts} prompts, each with {SPLIT}: {', '.join(sorted(said - whole)[:3])}",
            expected="one whose words are one token each",
            fix="Choose words that this tokenizer knows whole.",
        )
    return of_prompts(steering, kept), {SPLIT: n_prompts - len(kept)}


def of_prompts(steering: Steering, kept: Sequence[int]) -> Steering:
    """A steering of some of its prompts.

    Args:
        steering: All of it.
        kept: Indices of the prompts that are left.
    """
    where = steering.positions
    if isinstance(where, EndsOf):
        where = EndsOf(tuple(where.texts[index] for index in kept))
    return replace(
        steering,
        prompts=tuple(steering.prompts[index] for index in kept),
        contrasts={name: _rows(contrast, kept) for name, contrast in steering.contrasts.items()},
        outcome=_outcome(steering.outcome, kept),
        positions=tuple(where[i] for i in kept) if is_span_of_each(where) else where,
    )


def _outcome(outcome: Outcome | AgainstOwn, kept: Sequence[int]) -> Outcome | AgainstOwn:
    """The same, counted anew; what is told by a prompt's own text needs no index."""
    if isinstance(outcome, AgainstOwn):
        return outcome
    return lambda index, text: outcome(kept[index], text)


def _rows(contrast: Contrast | Words, kept: Sequence[int]) -> Contrast | Words:
    if isinstance(contrast, Contrast) and not contrast.paired:
        return contrast
    plus, minus = (
        side if isinstance(side, str) else tuple(side[i] for i in kept)
        for side in (contrast.plus, contrast.minus)
    )
    return replace(contrast, plus=plus, minus=minus)

"""Outcomes that are told by what a model says of its own, before it is steered."""

from collections.abc import Sequence

from semantic_hub.errors import NothingLeftError
from semantic_hub.interventions.merge__whole_contrasts import of_prompts
from semantic_hub.interventions.spec import AgainstOwn, Outcome, Steering
from semantic_hub.interventions.steering.continuations import Continuations
from semantic_hub.models.loading import HookedModel
from semantic_hub.prompts.prompt import encode


def told_by_own(model: HookedModel, steering: Steering) -> tuple[Steering, Outcome, dict[str, int]]:
    """What of a steering can be asked of a model, once it is known what it says without.

    Args:
        model: A decoder with a tokenizer.
        steering: What to steer; where its outcome is no `AgainstOwn` it stays as it is.

    Returns:
        The prompts whose own continuation is usable, the outcome of each, and the number of the
        others under the outcome's reason.

    Raises:
        NothingLeftError: Not one prompt has a usable continuation.
        SemanticHubError: As `semantic_hub.interventions.steering.sweep.steering_sweep`.

    Example:
        >>> from semantic_hub.interventions.spec import Words
        >>> from semantic_hub.prompts.prompt import Prompt
        >>> outcome = AgainstOwn(lambda own, said: "unchanged" if said == own else "other",
        ...                      usable=lambda own: True, reason="none")
        >>> prompts, words = (Prompt("the dog is"),), {"pets": Words("dog", "cat")}
        >>> told, outcome, dropped = told_by_own(model, Steering(prompts, words, outcome))
        >>> len(told.prompts), outcome(0, "something else"), dropped
        (1, 'other', {'none': 0})
    """
    outcome = steering.outcome
    if not isinstance(outcome, AgainstOwn):
        return steering, outcome, {}
    encodings = encode(model, steering.prompts)
    own = Continuations(model, encodings, steering.max_new_tokens).unsteered()
    kept = [index for index, text in enumerate(own) if outcome.usable(text)]
    if not kept:
        raise NothingLeftError(
            "intervene",
            got=f"{len(own)} prompts, all dropped ({outcome.reason})",
            expected="one that the model continues in a usable way",
            fix="Take other prompts, or a model that knows them.",
        )
    left = _against([own[index] for index in kept], outcome)
    return of_prompts(steering, kept), left, {outcome.reason: len(own) - len(kept)}


def _against(own: Sequence[str], outcome: AgainstOwn) -> Outcome:
    return lambda index, text: outcome.compare(own[index], text)
